//! Whether structs are those of the headers.
//!
//! SPDX-License-Identifier: Apache-2.0

use std::collections::HashMap;

/// What C says of them; see ../run.py.
pub struct Layout(HashMap<String, usize>);

impl Layout {
    /// From the file that the program was given.
    pub fn read() -> Layout {
        let path = std::env::args().nth(1).expect("the file with the layout");
        let text = std::fs::read_to_string(path).unwrap();
        let pairs = text.lines().map(|line| line.split_once(' ').unwrap());
        Layout(pairs.map(|(what, number)| (what.into(), number.parse().unwrap())).collect())
    }

    /// `here`: the members with their offsets.
    pub fn check(&self, name: &str, size: usize, here: &[(&str, usize)]) {
        assert_eq!(Some(&size), self.0.get(name), "the size of {name}");
        for (member, offset) in here {
            assert_eq!(Some(offset), self.0.get(&format!("{name}.{member}")), "{name}.{member}");
        }
        let prefix = format!("{name}.");
        let members = self.0.keys().filter(|what| what.starts_with(&prefix)).count();
        assert_eq!(members, here.len(), "the members of {name}");
    }
}

/// A struct with the layout of C, and `check_layout()` to compare it with the header's.
macro_rules! c_struct {
    ($c_name:literal, $name:ident { $($member:ident: $type:ty,)* }) => {
        #[repr(C)]
        #[derive(Clone, Copy)]
        #[allow(dead_code)]
        pub struct $name { $(pub $member: $type,)* }

        impl $name {
            pub(crate) fn check_layout(layout: &crate::layout::Layout) {
                let value = std::mem::MaybeUninit::<$name>::uninit();
                let start = value.as_ptr();
                let here = [$((
                    stringify!($member),
                    unsafe { std::ptr::addr_of!((*start).$member) as usize } - start as usize,
                )),*];
                layout.check($c_name, std::mem::size_of::<$name>(), &here);
            }
        }
    };
}
