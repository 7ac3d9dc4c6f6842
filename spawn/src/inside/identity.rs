//! Who the child is.

use super::{call, word};
use crate::error::{SpawnError, Stage};
use crate::identity::Identity;
use crate::sys::nr;

const PR_CAP_AMBIENT: usize = 47;
const PR_CAP_AMBIENT_CLEAR_ALL: usize = 4;

/// Takes this identity: groups first, which only the right to change ids allows,
/// and the user, with which that goes, last.
pub(super) fn take(identity: &Identity) -> Result<(), SpawnError> {
    let Identity { uid, gid, groups } = identity;
    let (count, list) = (groups.len(), groups.as_ptr() as usize);
    // Those of a parent that is not root would survive its change and exec. Old
    // kernels have none.
    let _ = call(Stage::UserId, nr::PRCTL, [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0]);
    call(Stage::SupplementaryGroups, nr::SETGROUPS, [count, list, 0, 0, 0])?;
    let all = |id: u32| [word(id.cast_signed()); 3];
    let [real, effective, saved] = all(*gid);
    call(Stage::GroupId, nr::SETRESGID, [real, effective, saved, 0, 0])?;
    let [real, effective, saved] = all(*uid);
    call(Stage::UserId, nr::SETRESUID, [real, effective, saved, 0, 0]).map(drop)
}
