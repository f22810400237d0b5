//! Whether the node makes blocks survives a restart, in op-node's file.

use crate::folder::Folder;
use doppio_node_service::{AdminState, AdminStateError};
use std::fs;

#[test]
fn what_was_kept_is_read_again_and_op_nodes_file_as_well() {
    let folder = Folder::new("admin-state");
    let path = folder.path().join("state.json");
    let state = AdminState::new(path.clone());
    assert_eq!(state.is_sequencing().unwrap(), None);
    for is_sequencing in [true, false, true] {
        state.set_sequencing(is_sequencing).unwrap();
        let again = AdminState::new(path.clone());
        assert_eq!(again.is_sequencing().unwrap(), Some(is_sequencing));
    }
    // as op-node writes it
    for (json, expected) in [
        (r#"{"sequencerStarted":true}"#, Some(true)),
        (r#"{"sequencerStarted":false}"#, Some(false)),
        ("{}", None),
    ] {
        fs::write(&path, json).unwrap();
        assert_eq!(state.is_sequencing().unwrap(), expected, "{json}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
    let folder = Folder::new("admin-state-broken");
    let path = folder.path().join("state.json");
    fs::write(&path, "not json").unwrap();
    let error = AdminState::new(path.clone()).is_sequencing().unwrap_err();
    assert!(matches!(error, AdminStateError::Json { .. }));
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    // a folder is no file
    let error = AdminState::new(folder.path().to_owned())
        .is_sequencing()
        .unwrap_err();
    assert!(matches!(error, AdminStateError::File { .. }), "{error}");
    let nowhere = AdminState::new(folder.path().join("missing/state.json"));
    assert!(nowhere.set_sequencing(true).is_err());
}
