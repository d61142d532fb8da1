//! Which files hold the methods of one type, and which of these files call each other through `self`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall, ImplItemFn, ItemImpl, Type};

use crate::circles::circles;
use crate::text;

/// The methods of one type.
#[derive(Default)]
pub struct Methods {
    /// The file of each method.
    pub files: BTreeMap<String, PathBuf>,
    /// What each file calls on `self`.
    calls: BTreeMap<PathBuf, BTreeSet<String>>,
}

impl Methods {
    /// The methods of the type `name` in these files, which are relative to `root`.
    pub fn of_type(name: &str, root: &Path, files: &[PathBuf]) -> Self {
        let mut methods = Self::default();
        for file in files {
            let source =
                syn::parse_file(&text(root, file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let mut reader = Reader { name, file, methods: &mut methods };
            reader.visit_file(&source);
        }
        methods
    }

    /// Groups of files that call each other in a circle.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let mut edges: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        for (file, called) in &self.calls {
            let targets = called.iter().filter_map(|name| self.files.get(name)).filter(|target| *target != file);
            edges.insert(file, targets.map(PathBuf::as_path).collect());
        }
        circles(&edges)
    }
}

struct Reader<'a> {
    name: &'a str,
    file: &'a Path,
    methods: &'a mut Methods,
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        if let Type::Path(path) = &*item.self_ty
            && path.path.segments.last().is_some_and(|last| last.ident == self.name)
        {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'a ImplItemFn) {
        self.methods.files.insert(item.sig.ident.to_string(), self.file.to_owned());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        if let Expr::Path(receiver) = &*call.receiver
            && receiver.path.is_ident("self")
        {
            self.methods.calls.entry(self.file.to_owned()).or_default().insert(call.method.to_string());
        }
        visit::visit_expr_method_call(self, call);
    }
}
