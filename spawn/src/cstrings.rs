//! Arrays of C strings, as execve(2) takes arguments and environment.

use std::ffi::{CString, c_char};
use std::marker::PhantomData;
use std::ptr;

use smallvec::SmallVec;

/// Pointers to C strings, ended by a null pointer.
#[derive(Debug)]
pub(crate) struct Pointers<'a> {
    pointers: SmallVec<[*const c_char; 16]>,
    /// Those of our own that they point to, wherever this is moved to.
    _front: Vec<CString>,
    strings: PhantomData<&'a [CString]>,
}

impl<'a> Pointers<'a> {
    pub(crate) fn to(strings: &'a [CString]) -> Pointers<'a> {
        Pointers::behind(Vec::new(), strings)
    }

    /// The same with some of its own in front.
    pub(crate) fn behind(front: Vec<CString>, strings: &'a [CString]) -> Pointers<'a> {
        let pointers = front.iter().chain(strings).map(|string| string.as_ptr());
        let pointers = pointers.chain([ptr::null()]).collect();
        Pointers { pointers, _front: front, strings: PhantomData }
    }

    /// The array, for a system call.
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}
