//! The canonical ABI: how a value of the contract lies in a guest's memory, how it gets there and out again.
//!
//! Whatever is read here was written by a guest. Pointers, lengths, discriminants and texts are checked before
//! they are used, and what the host copies is counted before it is allocated, as wasmtime does for components.

use std::str;

use wasmtime::{Error, Memory, StoreContextMut, TypedFunc, bail, format_err};

use crate::guest::{OverBudget, State};

/// The allocator that a guest exports: old pointer and size, both 0, then alignment and size.
pub(crate) type Allocator = TypedFunc<(u32, u32, u32, u32), u32>;

/// Size and alignment of a type in a guest's memory.
pub(super) trait Layout {
    const SIZE: usize;
    const ALIGN: usize;
}

/// A type that goes into a guest.
pub(super) trait Lower: Layout + Sized {
    /// Writes the value into a copy of its place; what lies between its fields stays as the guest left it. What it
    /// points to goes into the guest's memory at once.
    fn lower(&self, guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error>;

    /// Writes the elements of a list.
    fn lower_all(list: &[Self], guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
        list.iter()
            .zip(bytes.chunks_exact_mut(Self::SIZE))
            .try_for_each(|(element, bytes)| element.lower(guest, bytes))
    }
}

/// A type that comes out of a guest.
pub(super) trait Lift: Layout + Sized {
    /// Reads the value from its place.
    fn lift(guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error>;

    /// Reads the elements of a list.
    fn lift_all(guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Vec<Self>, Error> {
        let mut list = Vec::with_capacity(bytes.len() / Self::SIZE);
        for bytes in bytes.chunks_exact(Self::SIZE) {
            list.push(Self::lift(guest, bytes)?);
        }
        Ok(list)
    }
}

/// The next place from `at` on that has an alignment.
pub(super) const fn align(at: usize, alignment: usize) -> usize {
    at.next_multiple_of(alignment)
}

/// The larger of two.
const fn larger(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

/// The largest of all.
pub(super) const fn largest(all: &[usize]) -> usize {
    match all {
        [] => 0,
        [first, rest @ ..] => larger(*first, largest(rest)),
    }
}

/// Part of a value's place.
#[inline]
pub(super) fn part(bytes: &[u8], at: usize, size: usize) -> Result<&[u8], Error> {
    bytes.get(at..).and_then(|rest| rest.get(..size)).ok_or_else(too_small)
}

/// Part of a value's future place.
#[inline]
pub(super) fn part_mut(bytes: &mut [u8], at: usize, size: usize) -> Result<&mut [u8], Error> {
    bytes.get_mut(at..).and_then(|rest| rest.get_mut(..size)).ok_or_else(too_small)
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Result<u32, Error> {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(too_small)?;
    Ok(u32::from_le_bytes(*bytes))
}

#[inline]
pub(super) fn put(bytes: &mut [u8], value: &[u8]) -> Result<(), Error> {
    bytes.get_mut(..value.len()).ok_or_else(too_small)?.copy_from_slice(value);
    Ok(())
}

/// A mistake of the host's: places are as large as the types say.
#[cold]
fn too_small() -> Error {
    format_err!("a value's place is too small for it")
}

/// The way of values into a guest.
pub(super) struct Lowering<'s> {
    pub(super) store: StoreContextMut<'s, State>,
    pub(super) memory: Memory,
    pub(super) allocator: &'s Allocator,
}

impl Lowering<'_> {
    /// Has the guest allocate; gives what is allocated, and where it lies.
    #[inline]
    pub(super) fn allocate(&mut self, alignment: usize, size: usize) -> Result<(u32, &mut [u8]), Error> {
        let alignment = u32::try_from(alignment)?;
        self.store.data_mut().may_leave = false;
        let pointer = self.allocator.call(&mut self.store, (0, 0, alignment, u32::try_from(size)?))?;
        self.store.data_mut().may_leave = true;
        if !pointer.is_multiple_of(alignment) {
            bail!("realloc return: result not aligned");
        }
        Ok((pointer, self.place(pointer, size)?))
    }

    fn place(&mut self, pointer: u32, size: usize) -> Result<&mut [u8], Error> {
        let memory = self.memory.data_mut(&mut self.store);
        let place = usize::try_from(pointer).ok().and_then(|at| memory.get_mut(at..)?.get_mut(..size));
        place.ok_or_else(|| format_err!("realloc return: beyond end of memory"))
    }

    /// Copies into memory that was allocated.
    #[inline]
    pub(super) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Error> {
        self.place(pointer, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Gives a list to the guest; says where it lies and how long it is.
    pub(super) fn list<T: Lower>(&mut self, list: &[T]) -> Result<(u32, u32), Error> {
        let size =
            list.len().checked_mul(T::SIZE).ok_or_else(|| format_err!("size overflow copying a list"))?;
        let (pointer, place) = self.allocate(T::ALIGN, size)?;
        let mut bytes = place.to_vec();
        T::lower_all(list, self, &mut bytes)?;
        self.write(pointer, &bytes)?;
        Ok((pointer, u32::try_from(list.len())?))
    }

    fn text(&mut self, text: &str) -> Result<(u32, u32), Error> {
        let (pointer, place) = self.allocate(1, text.len())?;
        place.copy_from_slice(text.as_bytes());
        Ok((pointer, u32::try_from(text.len())?))
    }
}

/// The way of values out of a guest.
pub(crate) struct Lifting<'m> {
    memory: &'m [u8],
    /// Bytes that may still be copied.
    budget: usize,
}

impl<'m> Lifting<'m> {
    pub(crate) const fn new(memory: &'m [u8], budget: usize) -> Self {
        Self { memory, budget }
    }

    /// Reads what a function's result points to.
    pub(super) fn answer<T: Lift>(&mut self, pointer: u32) -> Result<T, Error> {
        let at = usize::try_from(pointer)?;
        if !at.is_multiple_of(T::ALIGN) {
            bail!("return pointer not aligned");
        }
        let memory = self.memory;
        let bytes = memory.get(at..).and_then(|rest| rest.get(..T::SIZE));
        T::lift(self, bytes.ok_or_else(|| format_err!("pointer out of bounds of memory"))?)
    }

    fn spend(&mut self, bytes: Option<usize>) -> Result<(), Error> {
        let left = bytes.and_then(|bytes| self.budget.checked_sub(bytes));
        self.budget = left.ok_or(OverBudget)?;
        Ok(())
    }

    pub(super) fn list<T: Lift>(&mut self, pointer: u32, length: u32) -> Result<Vec<T>, Error> {
        let (at, length) = (usize::try_from(pointer)?, usize::try_from(length)?);
        let memory = self.memory;
        let bytes = length
            .checked_mul(T::SIZE)
            .and_then(|size| memory.get(at..)?.get(..size))
            .ok_or_else(|| format_err!("list pointer/length out of bounds of memory"))?;
        self.spend(length.checked_mul(size_of::<T>()))?;
        if !at.is_multiple_of(T::ALIGN) {
            bail!("list pointer is not aligned");
        }
        T::lift_all(self, bytes)
    }

    /// Looks at a text.
    pub(crate) fn text(&mut self, pointer: u32, length: u32) -> Result<&'m str, Error> {
        let (at, length) = (usize::try_from(pointer)?, usize::try_from(length)?);
        let memory = self.memory;
        let bytes = memory.get(at..).and_then(|rest| rest.get(..length));
        let bytes = bytes.ok_or_else(|| format_err!("string pointer/length out of bounds of memory"))?;
        self.spend(Some(length))?;
        Ok(str::from_utf8(bytes)?)
    }
}

macro_rules! number {
    ($($number:ty),+) => {$(
        impl Layout for $number {
            const SIZE: usize = size_of::<Self>();
            const ALIGN: usize = size_of::<Self>();
        }

        impl Lower for $number {
            #[inline]
            fn lower(&self, _guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
                put(bytes, &self.to_le_bytes())
            }
        }

        impl Lift for $number {
            #[inline]
            fn lift(_guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error> {
                Ok(Self::from_le_bytes(*bytes.first_chunk().ok_or_else(too_small)?))
            }
        }
    )+};
}

number!(u32, i32, f32, f64);

impl Layout for u8 {
    const SIZE: usize = 1;
    const ALIGN: usize = 1;
}

impl Lower for u8 {
    fn lower(&self, _guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
        put(bytes, &[*self])
    }

    /// Saved states may be large.
    fn lower_all(list: &[Self], _guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
        put(bytes, list)
    }
}

impl Lift for u8 {
    #[inline]
    fn lift(_guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error> {
        bytes.first().copied().ok_or_else(too_small)
    }

    fn lift_all(_guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Vec<Self>, Error> {
        Ok(bytes.to_vec())
    }
}

impl Layout for bool {
    const SIZE: usize = 1;
    const ALIGN: usize = 1;
}

impl Lower for bool {
    fn lower(&self, _guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
        put(bytes, &[u8::from(*self)])
    }
}

impl Lift for bool {
    /// Whatever is not 0 is true, as the ABI has it.
    fn lift(guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error> {
        Ok(u8::lift(guest, bytes)? != 0)
    }
}

/// A pointer and a length.
const PAIR: usize = 8;

fn put_pair(bytes: &mut [u8], (pointer, length): (u32, u32)) -> Result<(), Error> {
    put(bytes, &pointer.to_le_bytes())?;
    put(part_mut(bytes, 4, 4)?, &length.to_le_bytes())
}

impl Layout for String {
    const SIZE: usize = PAIR;
    const ALIGN: usize = 4;
}

impl Lower for String {
    fn lower(&self, guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
        put_pair(bytes, guest.text(self)?)
    }
}

impl Lift for String {
    fn lift(guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error> {
        guest.text(word(bytes, 0)?, word(bytes, 4)?).map(str::to_owned)
    }
}

impl<T> Layout for Vec<T> {
    const SIZE: usize = PAIR;
    const ALIGN: usize = 4;
}

impl<T: Lower> Lower for Vec<T> {
    fn lower(&self, guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
        put_pair(bytes, guest.list(self)?)
    }
}

impl<T: Lift> Lift for Vec<T> {
    #[inline]
    fn lift(guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error> {
        guest.list(word(bytes, 0)?, word(bytes, 4)?)
    }
}

impl Layout for () {
    const SIZE: usize = 0;
    const ALIGN: usize = 1;
}

impl Lift for () {
    fn lift(_guest: &mut Lifting<'_>, _bytes: &[u8]) -> Result<Self, Error> {
        Ok(())
    }
}

impl<T: Lower> Lower for Option<T> {
    fn lower(&self, guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
        put(bytes, &[u8::from(self.is_some())])?;
        match self {
            None => Ok(()),
            Some(value) => value.lower(guest, part_mut(bytes, align(1, T::ALIGN), T::SIZE)?),
        }
    }
}

impl<T: Layout> Layout for Option<T> {
    const SIZE: usize = align(align(1, T::ALIGN) + T::SIZE, T::ALIGN);
    const ALIGN: usize = T::ALIGN;
}

impl<T: Lift> Lift for Option<T> {
    fn lift(guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error> {
        match u8::lift(guest, bytes)? {
            0 => Ok(None),
            1 => T::lift(guest, part(bytes, align(1, T::ALIGN), T::SIZE)?).map(Some),
            _ => bail!("invalid option discriminant"),
        }
    }
}

impl<T: Layout, E: Layout> Layout for Result<T, E> {
    const SIZE: usize = align(align(1, Self::ALIGN) + larger(T::SIZE, E::SIZE), Self::ALIGN);
    const ALIGN: usize = larger(T::ALIGN, E::ALIGN);
}

impl<T: Lift, E: Lift> Lift for Result<T, E> {
    #[inline]
    fn lift(guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error> {
        let at = align(1, Self::ALIGN);
        match u8::lift(guest, bytes)? {
            0 => T::lift(guest, part(bytes, at, T::SIZE)?).map(Ok),
            1 => E::lift(guest, part(bytes, at, E::SIZE)?).map(Err),
            _ => bail!("invalid expected discriminant"),
        }
    }
}
