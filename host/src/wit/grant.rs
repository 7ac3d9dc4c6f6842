//! The interface `grant`.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::convert::table_is_full;
use crate::audit::Refusal;
use crate::bindings::grant::{self, InvalidRules, NarrowError};
use crate::bindings::types::ErrorCode;
use crate::cgroup::Cgroup;
use crate::error::{ErrorCodeFailure, Failure, NarrowFailure};
use crate::held::{HeldGrant, NotNarrowed};
use crate::view::ProcessCtxView;

impl grant::Host for ProcessCtxView<'_> {
    fn convert_narrow_error(&mut self, failure: NarrowFailure) -> wasmtime::Result<NarrowError> {
        failure.split()
    }
}

impl grant::HostGrant for ProcessCtxView<'_> {
    fn name(&mut self, this: Resource<HeldGrant>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.name.clone())
    }

    fn narrow(
        &mut self,
        this: Resource<HeldGrant>,
        rules: String,
    ) -> Result<Resource<HeldGrant>, NarrowFailure> {
        let narrowed = self.table.get(&this)?.narrow(&rules).map_err(|error| match error {
            NotNarrowed::Rules(error) => {
                let number =
                    |number: Option<usize>| u32::try_from(number.unwrap_or(1)).unwrap_or(u32::MAX);
                NarrowError::Invalid(InvalidRules {
                    line: number(error.line()),
                    column: number(error.column()),
                    message: error.message().to_owned(),
                })
            }
            error @ (NotNarrowed::TooLong | NotNarrowed::LimitReached) => {
                let refusal = Refusal::denied("limits.max-argument-bytes", "too many rules");
                self.ctx.recorder.limited("grant.narrow", refusal);
                match error {
                    NotNarrowed::TooLong => NarrowError::TooLong,
                    _ => NarrowError::LimitReached,
                }
            }
        });
        let narrowed = narrowed.map_err(Failure::Guest)?;
        let pushed = self.table.push(narrowed);
        pushed.map_err(|_| Failure::Guest(NarrowError::LimitReached))
    }

    fn within(
        &mut self,
        this: Resource<HeldGrant>,
        group: Resource<Cgroup>,
    ) -> Result<Resource<HeldGrant>, ErrorCodeFailure> {
        let group = Arc::clone(self.table.get(&group)?.node());
        let Some(narrowed) = self.table.get(&this)?.within(&group) else {
            let refusal = Refusal::denied("group", "the grant was narrowed to another group");
            self.ctx.recorder.limited("grant.within", refusal);
            return Err(ErrorCode::AccessDenied.into());
        };
        self.table.push(narrowed).map_err(table_is_full)
    }

    fn drop(&mut self, this: Resource<HeldGrant>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
