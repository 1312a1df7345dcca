package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What pass_env never takes from a client. The first are the gate's own; the others let whoever chooses their value make programs run or
// load what he names, or read settings, or write files, where he likes. The lists follow ld.so(8), what sudo removes from an
// environment, and the manuals of shells, interpreters and what is often permitted. They catch slips and can never be whole, so check
// warns of every name that is not known to be harmless.
const (
	setByGate = "HOME USER LOGNAME SHELL PATH TERM LANG SSH_CONNECTION SSH_CLIENT SSH_TTY"

	chooses = "ENV IFS CDPATH SHELLOPTS BASHOPTS PS4 GLOBIGNORE PROMPT_COMMAND FPATH ZDOTDIR NULLCMD READNULLCMD TMPPREFIX HISTFILE INPUTRC" + // shells
		" GCONV_PATH GLIBC_TUNABLES LOCPATH NLSPATH PATH_LOCALE LOCALDOMAIN RES_OPTIONS HOSTALIASES LIBPATH SHLIB_PATH AUTHSTATE NIS_PATH" + // libraries
		" TERMINFO TERMINFO_DIRS TERMPATH TERMCAP KRB5_CONFIG KRB5_KTNAME KRB5CCNAME VAR_ACE USR_ACE DLC_ACE" +
		" GTK_MODULES GTK_PATH QT_PLUGIN_PATH GIO_EXTRA_MODULES GIO_MODULE_DIR SASL_PATH MAGIC" +
		" EDITOR VISUAL FCEDIT PAGER MANPAGER MANOPT MANPATH BROWSER LESS LESSOPEN LESSCLOSE LESSKEY LESSKEYIN LESSKEY_SYSTEM LESSHISTFILE MORE SYSTEMD_LESS" +
		" VIMINIT GVIMINIT EXINIT MYVIMRC VIM VIMRUNTIME EMACSLOADPATH SCREENRC SYSSCREENRC TMUX TMUX_TMPDIR MAILRC MAILCAPS" +
		" TAR_OPTIONS TAPE ZIP ZIPOPT UNZIP UNZIPOPT GZIP BZIP XZ_OPT XZ_DEFAULTS ZSTD_OPT" +
		" RSYNC_CONNECT_PROG RSYNC_PROXY RSYNC_PASSWORD CVS_SERVER SSH_SK_PROVIDER SSH_SK_HELPER SSH_PKCS11_HELPER RESTIC_PASSWORD_COMMAND" +
		" MAKEFLAGS GNUMAKEFLAGS MFLAGS MAKEFILES MAKESHELL GCC_EXEC_PREFIX COMPILER_PATH LIBRARY_PATH CC CXX CPP AR RUSTC RUSTC_WRAPPER RUSTFLAGS GOFLAGS GOROOT GOPATH" +
		" CLASSPATH JAVA_HOME TCLLIBPATH TCL_LIBRARY PHPRC PHP_INI_SCAN_DIR GEM_HOME GEM_PATH BUNDLE_GEMFILE OCAMLRUNPARAM AWKPATH AWKLIBPATH" +
		" ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS ERL_LIBS ELIXIR_ERL_OPTIONS JULIA_LOAD_PATH JULIA_DEPOT_PATH GUILE_LOAD_PATH R_HOME R_PROFILE R_ENVIRON R_LIBS" +
		" TMPDIR TMP TEMP TEMPDIR NETRC CURL_HOME WGETRC SYSTEM_WGETRC GNUPGHOME MYSQL_HOME PSQLRC PGSERVICEFILE PGSYSCONFDIR" + // folders and settings
		" KUBECONFIG DOCKER_CONFIG AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE"

	choosesFamily = "LD_ _RLD LDR_ DYLD_ GIT_ PERL PYTHON RUBY LUA_ BASH_ NODE_ NPM_ npm_ JAVA_ _JAVA_ JDK_ DOTNET_ CORECLR_ COMPlus_ COR_ CARGO_ OPENSSL_ BORG_" +
		" RCLONE_ ANSIBLE_ XDG_"

	choosesEnding = "_RSH _SSH _ASKPASS _PASSCOMMAND _EDITOR _PAGER _PRELOAD"
)

// checkPassed keeps a client from choosing what the gate itself sets, and what is known to make programs do something else.
func checkPassed(name string) error {
	listed := func(names string, is func(string) bool) bool { return slices.ContainsFunc(strings.Fields(names), is) }
	same := func(s string) bool { return s == name }
	switch {
	case listed(setByGate, same):
		return fmt.Errorf("%s is set by the gate and cannot come from the client", name)
	case name == "GIT_PROTOCOL":
		return nil
	case strings.HasPrefix(name, "LC_"):
		return fmt.Errorf("%s comes with a plain value without being passed", name)
	case listed(chooses, same), listed(choosesFamily, func(s string) bool { return strings.HasPrefix(name, s) }),
		listed(choosesEnding, func(s string) bool { return strings.HasSuffix(name, s) }):
		return fmt.Errorf("%s can make programs run, load, read or write what the client names, and cannot come from it", name)
	case !isEnvName(name):
		return fmt.Errorf("%s is no name of a variable", strconv.QuoteToASCII(name))
	}
	return nil
}
