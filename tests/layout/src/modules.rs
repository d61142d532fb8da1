//! Which module of a crate names which other one: in `use` lines and in paths that begin with `crate`, `super` or
//! `self`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

use crate::circles::circles;

/// A module's path within its crate; the crate's root is empty.
type ModulePath = Vec<String>;

/// The modules of one crate, without its tests.
#[derive(Default)]
pub struct Modules {
    modules: BTreeMap<ModulePath, Module>,
}

#[derive(Default)]
struct Module {
    /// The file it stands in, relative to the crate's root file.
    file: PathBuf,
    /// What it imports or names by a path, as written.
    named: Vec<ModulePath>,
    /// What it gives on to others under a name of its own, and where from.
    reexports: BTreeMap<String, ModulePath>,
    /// The names that its own code uses without a path.
    used: BTreeSet<String>,
}

impl Modules {
    /// Reads a crate from its root file on.
    pub fn of_crate(root: &Path) -> Self {
        let mut modules = Self::default();
        let folder = root.parent().expect("a file stands in a folder");
        modules.read(root, folder, folder, Vec::new());
        modules
    }

    /// The files of the crate, relative to the folder of its root file.
    pub fn files(&self) -> BTreeSet<&Path> {
        self.modules.values().map(|module| module.file.as_path()).collect()
    }

    /// Groups of files that name each other in a circle, each group sorted.
    pub fn circles(&self) -> Vec<Vec<String>> {
        circles(&self.edges())
    }

    /// From each file to those whose items it names.
    pub fn edges(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let mut edges: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        for (path, module) in &self.modules {
            // A name that is only given on makes a door, not a tie.
            let given_on = module.reexports.iter().filter(|(name, _)| module.used.contains(*name)).map(|(_, to)| to);
            for named in module.named.iter().chain(given_on) {
                let target = self.resolve(path, named, 0);
                if let Some(target) = target.and_then(|target| self.modules.get(&target))
                    && target.file != module.file
                {
                    edges.entry(&module.file).or_default().insert(&target.file);
                }
            }
        }
        edges
    }

    /// The module that an item stands in which `from` names so. None if it is of another crate.
    fn resolve(&self, from: &ModulePath, named: &[String], depth: usize) -> Option<ModulePath> {
        assert!(depth < 20, "{named:?} of {from:?} is given on in a circle");
        let mut here = from.clone();
        let mut rest = named;
        match rest.first()?.as_str() {
            "crate" => here.clear(),
            "self" => {}
            "super" => drop(here.pop()),
            first => {
                let child: ModulePath = here.iter().cloned().chain([first.to_owned()]).collect();
                let reexported = || self.modules.get(&here).is_some_and(|module| module.reexports.contains_key(first));
                if !self.modules.contains_key(&child) && !reexported() {
                    return None;
                }
                return self.descend(here, rest, depth);
            }
        }
        rest = &rest[1..];
        while rest.first().is_some_and(|segment| segment == "super") {
            here.pop();
            rest = &rest[1..];
        }
        self.descend(here, rest, depth)
    }

    fn descend(&self, mut here: ModulePath, rest: &[String], depth: usize) -> Option<ModulePath> {
        for (at, segment) in rest.iter().enumerate() {
            let child: ModulePath = here.iter().cloned().chain([segment.clone()]).collect();
            if self.modules.contains_key(&child) {
                here = child;
                continue;
            }
            let reexport = self.modules.get(&here).and_then(|module| module.reexports.get(segment));
            return match reexport {
                Some(to) => {
                    let whole: ModulePath = to.iter().chain(&rest[at + 1..]).cloned().collect();
                    self.resolve(&here, &whole, depth + 1)
                }
                None => Some(here),
            };
        }
        Some(here)
    }

    fn read(&mut self, file: &Path, folder: &Path, root: &Path, path: ModulePath) {
        let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let items = syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items;
        self.read_items(&items, file, folder, root, path);
    }

    fn read_items(&mut self, items: &[Item], file: &Path, folder: &Path, root: &Path, path: ModulePath) {
        let mut names = Names::default();
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            if let Item::Mod(module) = item {
                self.read_module(module, file, folder, root, &path);
            } else {
                names.visit_item(item);
            }
        }
        let Names { named, reexports, used } = names;
        let file = file.strip_prefix(root).expect("it is below the root").to_owned();
        self.modules.insert(path, Module { file, named, reexports, used });
    }

    fn read_module(&mut self, module: &ItemMod, file: &Path, folder: &Path, root: &Path, path: &ModulePath) {
        let name = module.ident.to_string();
        let child: ModulePath = path.iter().cloned().chain([name.clone()]).collect();
        let folder = folder.join(&name);
        if let Some((_, items)) = &module.content {
            return self.read_items(items, file, &folder, root, child);
        }
        let flat = folder.with_extension("rs");
        let file = if flat.is_file() { flat } else { folder.join("mod.rs") };
        self.read(&file, &folder, root, child);
    }
}

#[derive(Default)]
struct Names {
    named: Vec<ModulePath>,
    reexports: BTreeMap<String, ModulePath>,
    used: BTreeSet<String>,
}

impl<'a> Visit<'a> for Names {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let given_on = !matches!(item.vis, Visibility::Inherited);
        flatten(&item.tree, &mut Vec::new(), &mut |path, name| {
            // `pub(crate) use name;` makes a macro of this module known, or another crate.
            if given_on && path != [name.clone()] {
                self.reexports.insert(name, path);
            } else {
                self.named.push(path);
            }
        });
    }

    /// `pub(in crate::config)` names a module and uses nothing of it.
    fn visit_visibility(&mut self, _: &'a Visibility) {}

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: ModulePath = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.named.push(segments.clone());
        }
        self.used.extend(segments.into_iter().next());
        visit::visit_path(self, path);
    }
}

/// Calls `each` for each name that a `use` brings in: with the whole path, and the name it gets.
fn flatten(tree: &UseTree, before: &mut ModulePath, each: &mut dyn FnMut(ModulePath, String)) {
    let whole = |name: &dyn ToString| before.iter().cloned().chain([name.to_string()]).collect::<ModulePath>();
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, each);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            each(before.clone(), before.last().cloned().unwrap_or_default());
        }
        UseTree::Name(name) => each(whole(&name.ident), name.ident.to_string()),
        UseTree::Rename(rename) => each(whole(&rename.ident), rename.rename.to_string()),
        UseTree::Glob(_) => each(before.clone(), "*".to_owned()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, each)),
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| {
        let list = attribute.meta.require_list();
        list.is_ok_and(|list| list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    };
    attributes.iter().any(is_test)
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => &[],
    }
}
