//! Vectors that stay where they are: on the wire, or in a slice of the caller.

use super::primitive::{ReadError, Reader, Writer};
use core::fmt;
use std::borrow::Cow;

/// An element of a [`List`].
pub trait Item<'a>: Clone + PartialEq + fmt::Debug {
    /// Fewest bytes that an element can take on the wire.
    const MIN_LEN: usize;

    /// Reads one element.
    ///
    /// # Errors
    /// [`ReadError`] if the bytes are not such an element.
    fn read(reader: &mut Reader<'a>) -> Result<Self, ReadError>;

    /// Passes over one element, refusing what [`Item::read`] would refuse.
    ///
    /// # Errors
    /// Those of [`Item::read`].
    fn skip(reader: &mut Reader<'a>) -> Result<(), ReadError> {
        Self::read(reader).map(drop)
    }

    /// Appends the element.
    fn write(&self, writer: &mut Writer<'_>);
}

/// A vector, borrowed. One that was decoded is still encoded: it has been checked, and is decoded element by element
/// when it is iterated.
pub struct List<'a, T> {
    repr: Repr<'a, T>,
}

enum Repr<'a, T> {
    /// `count` whole, checked elements.
    Wire {
        count: usize,
        bytes: &'a [u8],
    },
    Items(&'a [T]),
}

/// A vector of strings.
pub type StrList<'a> = List<'a, Cow<'a, str>>;
/// An ACL.
pub type AclList<'a> = List<'a, AclItem<'a>>;

/// The ACL that allows everything to everyone.
pub const OPEN_ACL: AclList<'static> =
    List::new(&[AclItem { perms: 31, scheme: Some(Cow::Borrowed("world")), id: Some(Cow::Borrowed("anyone")) }]);

impl<'a, T> List<'a, T> {
    /// The list of these items.
    #[must_use]
    pub const fn new(items: &'a [T]) -> List<'a, T> {
        List { repr: Repr::Items(items) }
    }

    /// Number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.repr {
            Repr::Wire { count, .. } => count,
            Repr::Items(items) => items.len(),
        }
    }

    /// Whether there is no element.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The list of `count` elements that `bytes` holds and that have passed [`Item::skip`].
    pub(super) const fn checked(count: usize, bytes: &'a [u8]) -> List<'a, T> {
        List { repr: Repr::Wire { count, bytes } }
    }
}

impl<'a, T: Item<'a>> List<'a, T> {
    /// The elements in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'a, T> {
        Iter {
            repr: match self.repr {
                Repr::Wire { count, bytes } => IterRepr::Wire { count, reader: Reader::new(bytes) },
                Repr::Items(items) => IterRepr::Items(items.iter()),
            },
        }
    }

    /// Reads count and elements; `None` is a null vector.
    ///
    /// # Errors
    /// [`ReadError`] of the count or of any element.
    pub fn read(reader: &mut Reader<'a>) -> Result<Option<List<'a, T>>, ReadError> {
        let Some(count) = reader.count(T::MIN_LEN)? else {
            return Ok(None);
        };
        let start = reader.rest();
        for _ in 0..count {
            T::skip(reader)?;
        }
        Ok(Some(List::checked(count, &start[..start.len() - reader.rest().len()])))
    }

    /// Reads a vector that may not be null.
    ///
    /// # Errors
    /// Those of [`List::read`], and [`ReadError::Null`].
    pub fn read_required(reader: &mut Reader<'a>) -> Result<List<'a, T>, ReadError> {
        List::read(reader)?.ok_or(ReadError::Null)
    }

    /// Appends count and elements.
    pub fn write(&self, writer: &mut Writer<'_>) {
        writer.len(self.len());
        self.iter().for_each(|item| item.write(writer));
    }

    /// Appends a vector that may be null.
    pub fn write_nullable(list: Option<&List<'a, T>>, writer: &mut Writer<'_>) {
        match list {
            None => writer.i32(-1),
            Some(list) => list.write(writer),
        }
    }
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<T> Clone for Repr<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Repr<'_, T> {}

impl<'a, T: Item<'a>> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a, T: Item<'a>> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Item<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The elements of a [`List`].
pub struct Iter<'a, T> {
    repr: IterRepr<'a, T>,
}

enum IterRepr<'a, T> {
    Wire { count: usize, reader: Reader<'a> },
    Items(core::slice::Iter<'a, T>),
}

impl<'a, T: Item<'a>> Iterator for Iter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.repr {
            IterRepr::Wire { count: 0, .. } => None,
            IterRepr::Wire { count, reader } => {
                *count -= 1;
                Some(T::read(reader).expect("the elements of a list were checked when it was decoded"))
            }
            IterRepr::Items(items) => items.next().cloned(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.repr {
            IterRepr::Wire { count, .. } => *count,
            IterRepr::Items(items) => items.len(),
        };
        (left, Some(left))
    }
}

impl<'a, T: Item<'a>> ExactSizeIterator for Iter<'a, T> {}

/// Strings of a vector are never null: ZooKeeper stumbles over one that is, and answers -5.
impl<'a> Item<'a> for Cow<'a, str> {
    const MIN_LEN: usize = 4;

    fn read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        reader.required_string()
    }

    fn skip(reader: &mut Reader<'a>) -> Result<(), ReadError> {
        if reader.skip_buffer()? { Ok(()) } else { Err(ReadError::Null) }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.string(self);
    }
}

/// One entry of an ACL. A null scheme or id is for the server to refuse (`InvalidACL`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclItem<'a> {
    /// Permission bits: read 1, write 2, create 4, delete 8, admin 16. Not checked.
    pub perms: i32,
    /// Authentication scheme.
    pub scheme: Option<Cow<'a, str>>,
    /// Identity within the scheme.
    pub id: Option<Cow<'a, str>>,
}

impl<'a> AclItem<'a> {
    /// An entry that has both scheme and id.
    #[must_use]
    pub const fn new(perms: i32, scheme: &'a str, id: &'a str) -> AclItem<'a> {
        AclItem { perms, scheme: Some(Cow::Borrowed(scheme)), id: Some(Cow::Borrowed(id)) }
    }
}

impl<'a> Item<'a> for AclItem<'a> {
    const MIN_LEN: usize = 12;

    fn read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        Ok(AclItem { perms: reader.i32()?, scheme: reader.string()?, id: reader.string()? })
    }

    fn skip(reader: &mut Reader<'a>) -> Result<(), ReadError> {
        reader.i32()?;
        reader.skip_buffer()?;
        reader.skip_buffer()?;
        Ok(())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.i32(self.perms);
        writer.nullable_string(self.scheme.as_deref());
        writer.nullable_string(self.id.as_deref());
    }
}

/// One identity of a connection, as `whoAmI` tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientInfo<'a> {
    /// Authentication scheme.
    pub scheme: Cow<'a, str>,
    /// The user, or whatever else the scheme shows (an address).
    pub user: Cow<'a, str>,
}

impl<'a> Item<'a> for ClientInfo<'a> {
    const MIN_LEN: usize = 8;

    fn read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        Ok(ClientInfo { scheme: reader.required_string()?, user: reader.required_string()? })
    }

    fn skip(reader: &mut Reader<'a>) -> Result<(), ReadError> {
        <Cow<'a, str>>::skip(reader)?;
        <Cow<'a, str>>::skip(reader)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.string(&self.scheme);
        writer.string(&self.user);
    }
}
