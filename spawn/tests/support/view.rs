//! Views for tests.

use std::fs;

use offspring_spawn::{Command, Namespace, Namespaces, View, ViewAccess};
use rustix::process::geteuid;

use super::isolation::skip;
use super::place::{Place, directory};
use super::sh;

/// A place with a directory for each name.
pub fn place(names: &[&str]) -> Place {
    let place = Place::new();
    for name in names {
        fs::create_dir_all(place.path(name)).unwrap();
    }
    place
}

/// Showing directories of a place.
pub trait Show {
    /// Shows a directory of a place.
    fn show(&mut self, place: &Place, name: &str, at: &str, access: ViewAccess) -> &mut View;
}

impl Show for View {
    fn show(&mut self, place: &Place, name: &str, at: &str, access: ViewAccess) -> &mut View {
        let path = place.path(name).canonicalize().unwrap();
        self.directory(directory(&path), &path, at, access).unwrap()
    }
}

/// A view that programs can run in.
pub fn usual() -> View {
    let mut view = View::new();
    view.system().unwrap();
    view
}

/// A command in a view, with the rights that it takes here.
pub fn seeing(view: &View, script: &str) -> Command {
    let mut command = sh(script);
    command.view(view).namespaces(needed([]));
    command
}

/// These, and a user namespace where nothing else gives the right to them.
pub fn needed(namespaces: impl IntoIterator<Item = Namespace>) -> Namespaces {
    let mut set: Namespaces = namespaces.into_iter().collect();
    if !geteuid().is_root() {
        set.insert(Namespace::User);
    }
    set
}

/// Whether views can be made here; if not, the test of this name is skipped.
pub fn can_make(name: &str) -> bool {
    match sh("exit 0").namespaces(needed([Namespace::Mount])).spawn() {
        Ok(_) => true,
        Err(error) => {
            skip(name, error);
            false
        }
    }
}
