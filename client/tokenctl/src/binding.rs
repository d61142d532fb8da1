//! `NAME=VAR`: a token's name and the variable that it goes to.

use std::str::FromStr;

use tokend_proto::TokenRef;

/// The variable for a name that has none.
pub(crate) const DEFAULT_VARIABLE: &str = "TOKEN";

/// A name and the variable that its token goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) name: TokenRef,
    pub(crate) variable: String,
}

impl Binding {
    /// Checks a variable's name: every shell accepts it (POSIX, 3.216 Name).
    pub(crate) fn variable(text: &str) -> Result<String, String> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if starts_well && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(text.to_owned())
        } else {
            Err(format!("{text:?} is not a variable name: expected letters, digits and '_', not starting with a digit"))
        }
    }
}

impl FromStr for Binding {
    type Err = String;

    /// Splits at the last `=`, because a workspace name may contain one.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, variable) = text.rsplit_once('=').unwrap_or((text, DEFAULT_VARIABLE));
        let name = name.parse().map_err(|error: tokend_client::NameError| error.to_string())?;
        Ok(Self { name, variable: Self::variable(variable)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Result<(String, String), String> {
        text.parse::<Binding>().map(|binding| (binding.name.to_string(), binding.variable))
    }

    #[test]
    fn a_name_and_its_variable_are_split_at_the_last_equals_sign() {
        let pair = |name: &str, variable: &str| Ok((name.to_owned(), variable.to_owned()));
        assert_eq!(split("campus"), pair("campus", "TOKEN"));
        assert_eq!(split("campus=CENTRAL_1"), pair("campus", "CENTRAL_1"));
        assert_eq!(split("msp/a=b=_T"), pair("msp/a=b", "_T"));
    }

    #[test]
    fn what_is_no_variable_or_no_name_is_refused() {
        for text in ["campus=", "campus=1A", "campus=a-b", "campus=é", "=TOKEN", "msp/=TOKEN"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
