//! Variables that a guest never sets: the ones through which a program can be
//! made to run other code than its own.
//!
//! Each group has a reason, which a denial tells. No such list is complete.
//! What makes an environment safe is to allow few names; this list keeps a
//! wide pattern, such as `GIT_*`, from allowing what nobody meant.

use std::sync::LazyLock;

/// Reasons, each with the names that it holds for. One `*` in a name stands for
/// any text.
const NEVER: &[(&str, &str)] = &[
    (
        "the dynamic loader and the C library load code and data from where it says",
        "LD_* DYLD_* GLIBC_TUNABLES GCONV_PATH GETCONF_DIR LOCPATH NLSPATH TZDIR MALLOC_* _RJEM_* \
         *SAN_OPTIONS *_SYMBOLIZER_PATH XLOCALEDIR",
    ),
    (
        "it changes where names are looked up on the network",
        "HOSTALIASES LOCALDOMAIN RES_OPTIONS RESOLV_* NIS_PATH",
    ),
    (
        "programs look for other programs, or for settings that name some, where it says",
        "PATH HOME SHELL XDG_CONFIG_* XDG_DATA_*",
    ),
    (
        "shells run or split text by it",
        "ENV IFS BASH_* BASHOPTS SHELLOPTS PROMPT_COMMAND PS0 PS1 PS2 PS4 CDPATH GLOBIGNORE \
         ZDOTDIR FPATH NULLCMD READNULLCMD",
    ),
    (
        "it names a program that other programs run",
        "*EDITOR VISUAL *PAGER *BROWSER *ASKPASS *_RSH SVN_SSH RSYNC_* LESS* FZF_* TAR_OPTIONS \
         RIPGREP_CONFIG_PATH GNUPGHOME KUBECONFIG AWS_CONFIG_FILE DOCKER_* DBUS_*_ADDRESS VIMINIT \
         EXINIT EMACSLOADPATH TERMCAP TERMINFO* TERMPATH VIM VIMRUNTIME NVIM_* INPUTRC SCREENRC \
         GROFF_* MANROFFOPT CCACHE_* SCCACHE_* DISTCC_* WGETRC CURL_HOME PSQLRC PGSERVICEFILE \
         PGSYSCONFDIR MYSQL_HOME ACKRC ACK_OPTIONS BAT_CONFIG_PATH ZIPOPT UNZIP UNZIPOPT WINE*",
    ),
    (
        "programs write where it says, whatever else they were told",
        "GCOV_PREFIX* GMON_OUT_PREFIX LLVM_PROFILE_FILE SSLKEYLOGFILE NODE_V8_COVERAGE \
         SQLITE_HISTORY",
    ),
    (
        "programs trust whom it names",
        "SSL_CERT_* CURL_CA_BUNDLE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS \
         NODE_TLS_REJECT_UNAUTHORIZED GIT_SSL_*",
    ),
    (
        "git runs commands, hooks or settings that it names, or writes where it says",
        "GIT_*_COMMAND GIT_SSH* GIT_EXEC_PATH GIT_CONFIG* GIT_EXTERNAL_DIFF GIT_TEMPLATE_DIR \
         GIT_DIR GIT_COMMON_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_* \
         GIT_ALLOW_PROTOCOL GIT_PROTOCOL_FROM_USER GIT_TRACE* HG*",
    ),
    (
        "an interpreter or a virtual machine loads code or options from it",
        "NODE_OPTIONS NODE_PATH NODE_REPL_EXTERNAL_MODULE ELECTRON_* BUN_* DENO_* PYTHON* PERL* \
         RUBY* GEM_* BUNDLE* PHPRC PHP_INI_* LUA_* JULIA_* TCL* R_* ERL_* GHCRTS AWKPATH \
         AWKLIBPATH JAVA_* _JAVA_* JDK_* CLASSPATH *JAVA_OPTS MAVEN_* GRADLE_* DOTNET_* CORECLR_* \
         COMPlus_* COR_* ELIXIR_ERL_OPTIONS GHC_PACKAGE_PATH CAML* OCAML* MONO_* TS_NODE_*",
    ),
    (
        "a compiler or a build tool runs what it names",
        "RUSTC* RUSTDOC* RUSTFLAGS RUSTUP_* CARGO CARGO_HOME CARGO_ALIAS_* CARGO_BUILD_RUST* \
         CARGO_ENCODED_* CARGO_TARGET_*_LINKER CARGO_TARGET_*_RUNNER CARGO_TARGET_*FLAGS \
         CARGO_REGISTR* CARGO_SOURCE_* GOFLAGS GOENV GOROOT GOPATH GOTOOLCHAIN CGO_* CC CXX CPP AR \
         AS LD CFLAGS CPPFLAGS CXXFLAGS LDFLAGS COMPILER_PATH GCC_* CPATH *_INCLUDE_PATH \
         LIBRARY_PATH PKG_CONFIG* MAKE MAKEFILES *MAKEFLAGS MFLAGS CMAKE_* NIX_* ACLOCAL_PATH \
         AUTOCONF AUTOM4TE YACC LEX M4PATH TEXINPUTS TEXMF* openout_any shell_escape",
    ),
    (
        "a package manager fetches and runs code from where it says",
        "npm_config_* NPM_CONFIG_* YARN_* PIP_* UV_*",
    ),
    (
        "a library loads modules from where it says",
        "OPENSSL_* KRB5* SASL_PATH GTK* GIO_* GST_* QT_* QML* VK_* LIBGL_* OCL_ICD_* LADSPA_PATH \
         LV2_PATH FREI0R_PATH MAGICK_* GDK_PIXBUF_* GS_LIB GS_OPTIONS GDAL_DRIVER_PATH ALSA_CONFIG_* \
         SDL_DYNAMIC_API OMP_TOOL_LIBRARIES LIBOMPTARGET_* HSA_TOOLS_LIB LIBMYSQL_PLUGINS \
         FONTCONFIG_*",
    ),
];

/// One name of the list, split once because a guest may give many to look up.
struct Never {
    start: &'static str,
    /// What follows any text, for a name with a `*`.
    end: Option<&'static str>,
    reason: &'static str,
}

static LIST: LazyLock<Vec<Never>> = LazyLock::new(|| {
    let groups = NEVER.iter();
    let names = groups.flat_map(|(reason, names)| names.split(' ').map(move |name| (reason, name)));
    names
        .map(|(reason, name)| match name.split_once('*') {
            Some((start, end)) => Never { start, end: Some(end), reason },
            None => Never { start: name, end: None, reason },
        })
        .collect()
});

/// Why a guest may never set this variable, if so.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    let never = LIST.iter().find(|never| match never.end {
        Some(end) => name.strip_prefix(never.start).is_some_and(|rest| rest.ends_with(end)),
        None => name == never.start,
    });
    never.map(|never| never.reason)
}

/// Why a guest may never set any variable that starts with this prefix, if so.
pub(super) fn reason_for_prefix(prefix: &str) -> Option<&'static str> {
    let never = LIST.iter().find(|never| never.end == Some("") && prefix.starts_with(never.start));
    never.map(|never| never.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never() {
        let names = "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_ LD DYLD_INSERT_LIBRARIES GLIBC_TUNABLES \
            GCONV_PATH LOCPATH MALLOC_TRACE ASAN_OPTIONS PATH HOME SHELL XDG_CONFIG_HOME \
            ENV BASH_ENV BASH_FUNC_ls%% IFS PS4 SHELLOPTS BASHOPTS \
            EDITOR VISUAL PAGER MANPAGER LESSOPEN SSH_ASKPASS \
            GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_ASKPASS GIT_SSH GIT_SSH_COMMAND \
            GIT_PROXY_COMMAND GIT_EXEC_PATH GIT_CONFIG GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 \
            GIT_EXTERNAL_DIFF GIT_DIR GIT_TRACE2 GIT_ALTERNATE_OBJECT_DIRECTORIES \
            NODE_OPTIONS NODE_PATH PYTHONPATH PYTHONHOME PYTHONSTARTUP PERL5LIB PERL5OPT PERLLIB \
            RUBYOPT RUBYLIB JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH \
            RUSTC RUSTC_WRAPPER CARGO_BUILD_RUSTC_WRAPPER \
            CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER GOFLAGS MAKEFLAGS CC \
            npm_config_script_shell OPENSSL_CONF GROFF_COMMAND_PREFIX CCACHE_PREFIX WGETRC \
            OMP_TOOL_LIBRARIES GDK_PIXBUF_MODULE_FILE GS_OPTIONS GCOV_PREFIX SSLKEYLOGFILE \
            SSL_CERT_FILE GIT_SSL_NO_VERIFY CAML_LD_LIBRARY_PATH ELIXIR_ERL_OPTIONS";
        for name in names.split_whitespace() {
            assert!(reason(name).is_some(), "{name}");
        }
    }

    #[test]
    fn not_never() {
        let names = "CI LANG LC_ALL TZ TERM USER TMPDIR NO_COLOR DEBUG HTTP_PROXY \
            OLD_LD LDA_X SSL_MODE VIMEO GS_X ld_preload ENVIRONMENT MY_PATH MY_ENV NODE_ENV RUST_LOG RUST_BACKTRACE \
            CARGO_TERM_COLOR CARGO_TARGET_DIR \
            GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL GIT_TERMINAL_PROMPT";
        for name in names.split_whitespace().chain([""]) {
            assert_eq!(reason(name), None, "{name}");
        }
    }

    #[test]
    fn prefixes_that_hold_nothing_else() {
        for prefix in ["LD_", "LD_PRE", "PYTHON", "PYTHONP", "GIT_CONFIG_", "BASH_"] {
            assert!(reason_for_prefix(prefix).is_some(), "{prefix}");
        }
        for prefix in ["", "L", "LD", "GIT_", "PYTHO", "EDITOR", "PATH", "X"] {
            assert_eq!(reason_for_prefix(prefix), None, "{prefix}");
        }
    }

    #[test]
    fn the_list_is_well_formed() {
        let mut names: Vec<&str> = NEVER.iter().flat_map(|(_, names)| names.split(' ')).collect();
        for name in &names {
            assert!(!name.is_empty() && *name != "*", "{name}");
            assert!(name.matches('*').count() <= 1, "{name}");
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a name is listed twice");
    }
}
