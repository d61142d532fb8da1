//! Secret sources, as they stand in the file.
//!
//! Whatever was typed in place of a source may be the secret itself: it is in no finding.

use std::path::PathBuf;

use crate::config::context::Context;
use crate::config::diagnostics::{Diagnostics, Place, Spanned};
use crate::config::keys;
use crate::config::value::{Section, Shape, Value};
use crate::secret::SecretSource;

/// Longest list of sources of one secret: a roll-over needs two.
const MAX_SOURCES: usize = 8;

/// What a secret looks like, for messages.
pub(in crate::config) const EXPECTED: &str = "{ credential = \"NAME\" }, { file = \"/PATH\" }, { env = \"VARIABLE\" } or \
                                { command = [\"/PROGRAM\", …] }";

/// One source or a list of them, in the order in which they are tried. Nothing if anything is wrong with them.
pub(in crate::config) fn sources(raw: Value<'_>, context: &Context<'_>) -> Vec<SecretSource> {
    let place = raw.place.clone();
    let items = match raw.into_shape() {
        Shape::List(items) => items.into_iter().map(|item| (item.place.clone(), item.into_shape())).collect(),
        shape => vec![(place.clone(), shape)],
    };
    if items.is_empty() || items.len() > MAX_SOURCES {
        context.diagnostics.error(&place, format!("is a list of {}; expected 1 to {MAX_SOURCES}", items.len()));
        return Vec::new();
    }
    let expected = items.len();
    let sources: Vec<_> =
        items.into_iter().filter_map(|(place, shape)| source(place, shape, context.diagnostics)).collect();
    if sources.len() != expected {
        return Vec::new();
    }
    let values = sources.iter().map(|found| found.value.clone()).collect();
    context.named.borrow_mut().secret(sources);
    values
}

/// One source.
pub(in crate::config) fn single(raw: Value<'_>, context: &Context<'_>) -> Option<Spanned<SecretSource>> {
    let place = raw.place.clone();
    let shape = raw.into_shape();
    if let Shape::List(_) = shape {
        context.diagnostics.error(&place, format!("is a list; expected one of {EXPECTED}"));
        return None;
    }
    source(place, shape, context.diagnostics)
}

fn source(place: Place, shape: Shape<'_>, diagnostics: &Diagnostics) -> Option<Spanned<SecretSource>> {
    match shape {
        Shape::Table(section) => from_table(section.with(&keys::SECRET), diagnostics),
        Shape::Text(_) => {
            let advice = "a secret never stands in the configuration itself";
            diagnostics.error(&place, format!("is a bare string, and {advice}; expected {EXPECTED}"));
            None
        }
        Shape::List(_) | Shape::Other => {
            diagnostics.error(&place, format!("names no source of a secret; expected {EXPECTED}"));
            None
        }
    }
}

fn from_table(mut section: Section<'_>, diagnostics: &Diagnostics) -> Option<Spanned<SecretSource>> {
    let place = section.place.clone();
    let named = keys::SECRET.keys.iter().filter(|key| section.has(key.name)).count();
    let credential = section.text("credential").map(credential);
    let file = section.text("file").map(file);
    let env = section.text("env").map(env);
    let command = section.has("command").then(|| command(&mut section));
    let unknown = section.finish_without_naming();
    if named != 1 {
        if named > 1 || unknown == 0 {
            diagnostics.error(&place, format!("names {named} sources; expected one of {EXPECTED}"));
        }
        return None;
    }
    // A wrong type has been recorded where it was found.
    match credential.or(file).or(env).or(command)?? {
        Ok(value) if unknown == 0 => Some(Spanned { value, place }),
        Ok(_) => None,
        Err((place, problem)) => {
            diagnostics.error(&place, problem);
            None
        }
    }
}

/// `None`: what is wrong has been recorded.
type Parsed = Option<Result<SecretSource, (Place, String)>>;

fn credential(Spanned { value: name, place }: Spanned<String>) -> Parsed {
    let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']) && name.len() <= 255;
    let expected = "the name that LoadCredential= gives it, without a slash";
    Some(if is_name {
        Ok(SecretSource::Credential { name })
    } else {
        Err((place, format!("is no credential's name; expected {expected}")))
    })
}

fn file(Spanned { value, place }: Spanned<String>) -> Parsed {
    let path = PathBuf::from(value);
    Some(if path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0) {
        Ok(SecretSource::File { path })
    } else {
        Err((place, "is not an absolute path; expected a path that starts with '/'".to_owned()))
    })
}

fn env(Spanned { value: variable, place }: Spanned<String>) -> Parsed {
    // Whatever is not a name may be the secret itself.
    let is_name = variable.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    Some(if is_name {
        Ok(SecretSource::Env { variable })
    } else {
        Err((place, "is no variable's name; expected letters, digits and '_', such as \"LEGACY_SECRET\"".to_owned()))
    })
}

fn command(section: &mut Section<'_>) -> Parsed {
    let (place, expected) = (section.place_of("command"), section.expected("command"));
    let mut elements = section.list("command");
    let count = elements.len();
    let mut words = Vec::new();
    for element in elements.drain(..) {
        if let Shape::Text(word) = element.into_shape() {
            words.push(word);
        }
    }
    let program = words.first().map(PathBuf::from).filter(|program| program.is_absolute());
    let whole = words.len() == count && !words.iter().any(|word| word.contains('\0'));
    Some(match program {
        Some(program) if whole => Ok(SecretSource::Command { program, arguments: words.split_off(1) }),
        _ => Err((place, format!("is no command (none is run by a shell or searched for); expected {expected}"))),
    })
}
