use super::*;

#[test]
fn serials_are_signed() {
    for (bytes, text) in [
        (&[0][..], "00"),
        (&[], ""),
        (&[1], "01"),
        (&[0, 0xff], "ff"),
        (&[0xff], "-01"),
        (&[0x80, 0], "-8000"),
        (&[0xff, 0x7f], "-81"),
        (&[0x12, 0x34], "1234"),
    ] {
        assert_eq!(serial_text(bytes), text, "{bytes:x?}");
    }
}
