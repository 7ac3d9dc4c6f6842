//! The smallest programs: they do next to nothing, and what is measured is the
//! rest.

/// A program that exits at once.
pub fn exits() -> Vec<u8> {
    image(EXIT)
}

/// A program that does nothing until it is killed.
pub fn idles() -> Vec<u8> {
    image(IDLE)
}

/// A static ELF for this architecture with one page.
fn image(code: &[u8]) -> Vec<u8> {
    let mut image = Vec::new();
    // ELF header: 64 bits, little endian, an executable.
    image.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    image.extend(2_u16.to_le_bytes());
    image.extend(MACHINE.to_le_bytes());
    image.extend(1_u32.to_le_bytes());
    image.extend((BASE + HEADERS).to_le_bytes());
    image.extend(64_u64.to_le_bytes());
    image.extend(0_u64.to_le_bytes());
    image.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        image.extend(half.to_le_bytes());
    }
    // Program header: load everything, to be read and executed.
    let size = HEADERS + code.len() as u64;
    image.extend(1_u32.to_le_bytes());
    image.extend(5_u32.to_le_bytes());
    for word in [0, BASE, BASE, size, size, 0x1000] {
        image.extend(word.to_le_bytes());
    }
    image.extend(code);
    image
}

const BASE: u64 = 0x40_0000;
const HEADERS: u64 = 64 + 56;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

// mov eax, 60; xor edi, edi; syscall
#[cfg(target_arch = "x86_64")]
const EXIT: &[u8] = b"\xb8\x3c\0\0\0\x31\xff\x0f\x05";

// mov eax, 34; syscall; jmp back
#[cfg(target_arch = "x86_64")]
const IDLE: &[u8] = b"\xb8\x22\0\0\0\x0f\x05\xeb\xf7";

// mov x0, 0; mov x8, 93; svc 0
#[cfg(target_arch = "aarch64")]
const EXIT: &[u8] = b"\0\0\x80\xd2\xa8\x0b\x80\xd2\x01\0\0\xd4";

// mov x0, 0; mov x1, 0; mov x2, 0; mov x3, 0; mov x8, 73; svc 0: ppoll
#[cfg(target_arch = "aarch64")]
const IDLE: &[u8] =
    b"\0\0\x80\xd2\x01\0\x80\xd2\x02\0\x80\xd2\x03\0\x80\xd2\x28\x09\x80\xd2\x01\0\0\xd4";
