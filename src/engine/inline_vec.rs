//! One, as nearly always, or several: of thousands of probes in flight nearly each has one connection.

/// A list that needs no memory of its own for one element.
#[derive(Debug, Default)]
pub(in crate::engine) enum InlineVec<T> {
    #[default]
    None,
    One(T),
    /// Three words of a vector would be there in each of the thousands that have none.
    #[allow(clippy::box_collection)]
    Several(Box<Vec<T>>),
}

impl<T> InlineVec<T> {
    /// Adds one behind the others.
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

    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }

    /// All of them, to change them.
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
        let mut few = InlineVec::<u8>::default();
        assert!(few.as_slice().is_empty());
        for number in 1..=3 {
            few.push(number);
            assert_eq!(few.as_slice(), (1..=number).collect::<Vec<_>>());
        }
        few.as_mut_slice()[1] = 7;
        assert_eq!(few.as_slice(), [1, 7, 3]);
        assert_eq!(few.into_iter().collect::<Vec<_>>(), [1, 7, 3]);
    }
}
