//! A growing list that never moves what it holds.
//!
//! A plain `Vec` doubles and copies: at a million orders that is a pause of tens of milliseconds and, for a moment,
//! three times the memory. A list of fixed chunks grows by one chunk at a time and wastes at most one.

/// Elements in one chunk; a power of two, so that an index splits by shift and mask.
const CHUNK: usize = 1024;

/// An append-only list in chunks of 1,024 elements, indexed by `u32`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunks<T> {
    chunks: Vec<Vec<T>>,
    len: u32,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Chunks<T> {
    /// How many elements the list holds.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether the list holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an element and gives its index.
    ///
    /// # Panics
    /// After 4,294,967,295 elements; the callers refuse long before.
    pub fn push(&mut self, value: T) -> u32 {
        let index = self.len;
        assert!(
            index < u32::MAX,
            "a list of chunks holds at most {} elements",
            u32::MAX
        );
        if (index as usize).is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(value);
        }
        self.len += 1;
        index
    }

    /// The element at `index`, if there is one.
    pub fn get(&self, index: u32) -> Option<&T> {
        self.chunks
            .get(index as usize / CHUNK)?
            .get(index as usize % CHUNK)
    }

    /// The element at `index`, to be changed in place.
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.chunks
            .get_mut(index as usize / CHUNK)?
            .get_mut(index as usize % CHUNK)
    }

    /// All elements in order of their index.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> FromIterator<T> for Chunks<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut list = Self::default();
        for value in values {
            list.push(value);
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_found_where_it_was_pushed() {
        let mut list = Chunks::default();
        for n in 0..5000_u32 {
            assert_eq!(list.push(n * 3), n);
        }
        assert_eq!(list.len(), 5000);
        assert_eq!(list.get(0), Some(&0));
        assert_eq!(list.get(1024), Some(&3072));
        assert_eq!(list.get(4999), Some(&14997));
        assert_eq!(list.get(5000), None);
        assert!(list.iter().copied().eq((0..5000).map(|n| n * 3)));
    }

    #[test]
    fn growing_never_moves_an_element() {
        let mut list = Chunks::default();
        list.push(1_u64);
        let before = std::ptr::from_ref(list.get(0).expect("just pushed"));
        for n in 0..10_000 {
            list.push(n);
        }
        assert_eq!(
            before,
            std::ptr::from_ref(list.get(0).expect("still there"))
        );
    }
}
