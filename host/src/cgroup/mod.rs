//! Cgroups for the children of guests: where they can be made, and the ones
//! that are.
//!
//! A host makes one cgroup beneath its own, its [`Place`], and everything else
//! inside that. Who has a place can kill a child with all that it ever
//! started; who has controllers in it can also limit and measure.

mod controllers;
mod group;
mod groups;
mod leaf;
mod made;
mod owned;
mod place;
mod sweep;
#[cfg(test)]
mod tests;

pub use controllers::{Controllers, LEAF, Lack};
pub use group::Cgroup;
pub(crate) use group::{Node, NotMade};
pub(crate) use groups::Groups;
pub(crate) use leaf::{Leaf, Spares};
pub(crate) use made::remove_all;
pub use owned::OwnedCgroup;
pub use place::{NoPlace, Place};
