//! Is the place fit for a database?

use std::io;
use std::path::{Path, PathBuf};

use crate::store::{OpenError, StoreError};

/// The path without links, once the place is known to be fit for a database.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    if path.is_dir() {
        return Err(OpenError::Folder { path: path.to_owned() });
    }
    let not_writable = |reason: String, error: Option<io::Error>| OpenError::NotWritable {
        path: path.to_owned(),
        reason,
        source: error.map(Into::into),
    };
    let resolved = match path.canonicalize() {
        Ok(resolved) if resolved.is_file() => resolved,
        // A pipe would keep us waiting for its other end.
        Ok(_) => return Err(not_writable("it is not a file".to_owned(), None)),
        Err(_) => {
            let folder = match path.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            };
            let name = path
                .file_name()
                .ok_or_else(|| not_writable("it names no file".to_owned(), None))?;
            let folder = folder.canonicalize().map_err(|error| {
                let reason = format!("the folder {} cannot be found", folder.display());
                not_writable(reason, Some(error))
            })?;
            folder.join(name)
        }
    };
    refuse_network_file_system(&resolved)?;
    refuse_other_paths(&resolved)?;
    Ok(resolved)
}

/// Magic numbers of file systems whose files other machines may write, from statfs(2) and
/// linux/magic.h. FUSE has one number for local and remote ones, and is let through.
#[cfg(target_os = "linux")]
const NETWORK_FILE_SYSTEMS: [(u32, &str); 11] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB2"),
    (0xFF53_4D42, "CIFS"),
    (0x5346_414F, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x0102_1997, "9P"),
];

#[cfg(target_os = "linux")]
fn refuse_network_file_system(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let system =
        rustix::fs::statfs(if path.exists() { path } else { folder }).map_err(|error| {
            StoreError::Failed {
                reason: format!("the file system of {} is unknown", path.display()),
                source: Some(io::Error::from(error).into()),
            }
        })?;
    match network_file_system(system.f_type as u32) {
        Some(kind) => {
            Err(OpenError::NetworkFileSystem { path: path.to_owned(), kind: kind.to_owned() })
        }
        None => Ok(()),
    }
}

/// Refuses a file that others may know by another path: a hard link, or a file that is mounted by
/// itself, as containers may do. The write-ahead log and the locks lie beside the path, so that two
/// paths have two of each.
#[cfg(target_os = "linux")]
fn refuse_other_paths(path: &Path) -> Result<(), OpenError> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let Ok(found) = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS) else {
        // It is not there yet.
        return Ok(());
    };
    let reason = if found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        "the file is mounted by itself; mount its folder instead"
    } else if found.stx_nlink > 1 {
        "the file has another name too (a hard link); remove one of them"
    } else {
        return Ok(());
    };
    Err(OpenError::NotWritable { path: path.to_owned(), reason: reason.to_owned(), source: None })
}

#[cfg(not(target_os = "linux"))]
fn refuse_other_paths(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn network_file_system(magic: u32) -> Option<&'static str> {
    NETWORK_FILE_SYSTEMS.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

#[cfg(not(target_os = "linux"))]
fn refuse_network_file_system(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_number() {
        assert_eq!(network_file_system(0x6969), Some("NFS"));
        assert_eq!(network_file_system(0xEF53), None, "ext4");
    }
}
