//! Plugin files: bringing a version into the strategies directory, and putting an earlier one back. The host takes up
//! what is there just as if an operator had copied it, and names who brought it in as the one who asked.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::{Extension, Json};
use bulkhead_core::identifier::ContentHash;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Answer, Api, At, Body};
use crate::authorisation::Caller;
use crate::problem::{Kind, Problem, ProblemDocument};

/// The strategies directory, as the API needs it.
pub trait PluginDirectory: Send + Sync {
    /// Verifies a file and puts it into the directory for this slot, whole or not at all. `by` is who brings it in: what
    /// comes of it is done in that name.
    ///
    /// # Errors
    ///
    /// [`PluginProblem`]; then the directory is as it was.
    fn install(&self, slot: &str, file: &[u8], by: &str) -> Result<InstalledPlugin, PluginProblem>;

    /// Puts a version that ran before back for this slot. `by` is who does.
    ///
    /// # Errors
    ///
    /// [`PluginProblem`]; then the directory is as it was.
    fn roll_back(
        &self,
        slot: &str,
        version: &ContentHash,
        by: &str,
    ) -> Result<InstalledPlugin, PluginProblem>;
}

/// A file that is in the directory now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InstalledPlugin {
    /// The slot.
    pub slot: String,
    /// What the version calls itself.
    pub name: String,
    /// The number that it gives itself.
    pub version: String,
    /// SHA-256 of the file.
    pub hash: String,
}

/// Why a file was not put into the directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginProblem {
    /// The slot's name would be a path, or hidden.
    #[error(
        "\"{0}\" is no name for a slot: 1 to 64 letters, digits, \"-\", \"_\" and \".\" are expected, not first a \".\""
    )]
    Slot(String),
    /// The file is no strategy that can run here.
    #[error("the file is refused: {0}")]
    Refused(String),
    /// No such version was kept.
    #[error("no version {0} is kept; /api/v1/plugin-versions lists those that ran")]
    Unknown(String),
    /// The directory can't be written.
    #[error("the strategies directory can't be written: {0}")]
    Directory(String),
    /// It could not be written down who brings the file in.
    #[error("it can't be written down who brings the file in: {0}")]
    Unattributed(String),
}

impl From<PluginProblem> for Problem {
    fn from(problem: PluginProblem) -> Self {
        let kind = match &problem {
            PluginProblem::Slot(_) => Kind::BadName,
            PluginProblem::Refused(_) => Kind::PluginRefused,
            PluginProblem::Unknown(_) => Kind::Unknown,
            PluginProblem::Directory(why) => {
                tracing::error!(why, "a plugin could not be put into the strategies directory");
                let told = "the strategies directory can't be written; the host's log says why";
                return Self::new(Kind::Internal, told);
            }
            PluginProblem::Unattributed(why) => {
                tracing::warn!(
                    why,
                    "a plugin was not put into the strategies directory, as the database did not answer"
                );
                let told =
                    "the database does not answer, so that nobody could be named for it; nothing was changed";
                return Self::new(Kind::Unavailable, told);
            }
        };
        Self::new(kind, problem.to_string())
    }
}

/// Which version to put back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollBackBody {
    /// SHA-256 of the version, 64 hexadecimal digits.
    version: String,
}

/// Brings a plugin into the strategies directory under this name. All accounts take it up, with the state of the version
/// before; a new name becomes a slot as the configuration says of new ones. A file that can't run changes nothing.
#[utoipa::path(
    put,
    path = "/api/v1/plugins/{plugin}",
    tag = "plugins",
    params(("plugin" = String, Path, description = "The slot's name")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The component or core module"),
    responses(
        (status = 200, description = "It is in the directory", body = InstalledPlugin),
        (status = 400, description = "It is no name for a slot", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "The file is too large", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The file is no strategy that can run here", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn install(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    At(plugin): At<String>,
    request: Request,
) -> Answer<InstalledPlugin> {
    let receiving = api.receiving.try_acquire().map_err(|_| {
        Problem::new(Kind::Busy, "other plugins are being uploaded; try again when that is done")
    })?;
    let file = Bytes::from_request(request, &api).await?;
    drop(receiving);
    let (slot, by) = (plugin.clone(), caller.name.clone());
    let installed = in_the_directory(&api, move |directory| directory.install(&slot, &file, &by)).await?;
    tracing::info!(slot = plugin, version = installed.hash, by = caller.name, "a plugin was uploaded");
    Ok(Json(installed))
}

/// Puts a version that ran before back.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{plugin}/rollback",
    tag = "plugins",
    params(("plugin" = String, Path, description = "The slot's name")),
    request_body = RollBackBody,
    responses(
        (status = 200, description = "It is in the directory", body = InstalledPlugin),
        (status = 400, description = "The body can't be understood", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The version can't run here any more", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn roll_back(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    At(plugin): At<String>,
    Body(body): Body<RollBackBody>,
) -> Answer<InstalledPlugin> {
    let version = ContentHash::try_from(body.version.clone()).map_err(|_| {
        let expected = format!("version = \"{}\": 64 hexadecimal digits are expected", body.version);
        Problem::new(Kind::BadBody, expected)
    })?;
    let (slot, by) = (plugin.clone(), caller.name.clone());
    let installed =
        in_the_directory(&api, move |directory| directory.roll_back(&slot, &version, &by)).await?;
    tracing::info!(slot = plugin, version = installed.hash, by = caller.name, "a plugin was rolled back");
    Ok(Json(installed))
}

/// Compiling takes a while, and is one at a time; so it is done away from the threads that answer.
async fn in_the_directory(
    api: &Api,
    work: impl FnOnce(&dyn PluginDirectory) -> Result<InstalledPlugin, PluginProblem> + Send + 'static,
) -> Result<InstalledPlugin, Problem> {
    let turn = Arc::clone(&api.uploads).try_acquire_owned().map_err(|_| {
        Problem::new(Kind::Busy, "another plugin is being looked into; try again when that is done")
    })?;
    let directory = Arc::clone(&api.plugins);
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work(directory.as_ref())
    });
    match done.await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Problem::new(Kind::Internal, "looking into the file failed; the host's log says why")),
    }
}
