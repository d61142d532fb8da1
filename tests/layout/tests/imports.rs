//! Modules import each other in one direction: a reader can begin at one end.

use layout::modules::Modules;
use layout::{CRATES, root};

#[test]
fn no_module_of_the_product_imports_in_a_circle() {
    for (_, file) in CRATES {
        let modules = Modules::of_crate(&root().join(file));
        assert!(modules.files().len() > 5, "{file}: expected its modules, found {:?}", modules.files());
        assert_eq!(modules.circles(), [[""; 0]; 0], "{file}: expected no circles");
    }
}
