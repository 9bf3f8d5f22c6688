//! A list that stores a single element inline.
//!
//! Thousands of probes are in flight at once, and almost every one has exactly one connection.

/// A list that allocates only for a second element.
#[derive(Debug, Default)]
pub(in crate::engine) enum InlineVec<T> {
    #[default]
    None,
    One(T),
    // Boxed because most lists are short: an inline vector would make each of them three words
    // long.
    #[allow(clippy::box_collection)]
    Several(Box<Vec<T>>),
}

impl<T> InlineVec<T> {
    /// Appends an element.
    pub fn push(&mut self, element: T) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(element),
            Self::One(first) => Self::Several(Box::new(vec![first, element])),
            Self::Several(mut all) => {
                all.push(element);
                Self::Several(all)
            }
        };
    }

    /// All elements.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }

    /// All elements, mutable.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(one) => std::slice::from_mut(one),
            Self::Several(all) => all,
        }
    }
}

impl<T> IntoIterator for InlineVec<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        let all = match self {
            Self::None => Vec::new(),
            Self::One(one) => vec![one],
            Self::Several(all) => *all,
        };
        all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_order() {
        let mut list = InlineVec::<u8>::default();
        assert!(list.as_slice().is_empty());
        for element in 1..=3 {
            list.push(element);
            assert_eq!(list.as_slice(), (1..=element).collect::<Vec<_>>());
        }
        list.as_mut_slice()[1] = 7;
        assert_eq!(list.as_slice(), [1, 7, 3]);
        assert_eq!(list.into_iter().collect::<Vec<_>>(), [1, 7, 3]);
    }
}
