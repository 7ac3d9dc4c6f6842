//! Arrays of C strings, as execve(2) takes arguments and environment.

use std::ffi::{CString, c_char};
use std::marker::PhantomData;
use std::ptr;

use smallvec::SmallVec;

/// Pointers to C strings, ended by a null pointer.
#[derive(Debug)]
pub(crate) struct Pointers<'a> {
    pointers: SmallVec<[*const c_char; 16]>,
    strings: PhantomData<&'a [CString]>,
}

impl<'a> Pointers<'a> {
    pub(crate) fn to(strings: &'a [CString]) -> Pointers<'a> {
        let pointers = strings.iter().map(|string| string.as_ptr());
        Pointers { pointers: pointers.chain([ptr::null()]).collect(), strings: PhantomData }
    }

    /// The array, for a system call.
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}
