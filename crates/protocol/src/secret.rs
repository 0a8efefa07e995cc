//! A value that must not be seen: prints as redacted, has no equality and no serialisation, is wiped on drop.

use std::fmt;
use zeroize::Zeroize;

/// A secret value. Reading it takes a visible [`Secret::expose`].
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Secret(value)
    }

    /// The value itself. Every call site is a place to review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl From<&str> for Secret<String> {
    fn from(text: &str) -> Self {
        Secret::new(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_05_a_secret_prints_as_redacted() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(format!("{:?}", (Some(&secret), [secret.clone()])), "(Some([redacted]), [[redacted]])");
    }

    /// The method of the inner type is found first, where the trait bound holds; else the one behind the reference.
    #[test]
    fn st_05_a_secret_has_no_display_no_equality_and_no_serialisation() {
        use std::marker::PhantomData;
        struct Probe<T>(PhantomData<T>);
        trait Lacks {
            fn has(&self) -> bool {
                false
            }
        }
        impl<T> Lacks for &Probe<T> {}
        macro_rules! has {
            ($bound:path, $of:ty) => {{
                trait Has {
                    fn has(&self) -> bool {
                        true
                    }
                }
                impl<T: $bound> Has for Probe<T> {}
                assert!(Has::has(&Probe::<String>(PhantomData)), "a string has it");
                (&Probe::<$of>(PhantomData)).has()
            }};
        }
        assert!(
            has!(fmt::Display, String) && has!(PartialEq, String) && has!(serde::Serialize, String),
            "the probe works"
        );
        assert!(!has!(fmt::Display, Secret<String>));
        assert!(!has!(PartialEq, Secret<String>));
        assert!(!has!(serde::Serialize, Secret<String>));
    }

    /// Notes in place of its bytes that it was wiped.
    struct Noting<'n>(&'n std::cell::Cell<bool>);

    impl Zeroize for Noting<'_> {
        fn zeroize(&mut self) {
            self.0.set(true);
        }
    }

    #[test]
    fn st_05_a_secret_is_wiped_when_it_is_dropped() {
        let wiped = std::cell::Cell::new(false);
        let secret = Secret::new(Noting(&wiped));
        assert!(!secret.expose().0.get());
        drop(secret);
        assert!(wiped.get());
    }
}
