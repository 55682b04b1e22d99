// Package cli is the command line, and the only place where the rooms are wired together.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands is the command line; each command lives in the file of its name.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Serve the portal, its jobs and its schedule."`
	Migrate migrateCommand `cmd:"" help:"Bring the database's schema up to this program's version."`
	Sync    syncCommand    `cmd:"" help:"Pull camps from Odoo and push registrations to it, now."`
	Odoo    struct {
		Check odooCheckCommand `cmd:"" help:"Say which Odoo answers, what this user may do there, and what will not work."`
		Serve odooServeCommand `cmd:"" help:"Run the built-in event module alone, on Odoo's wire."`
	} `cmd:"" help:"Odoo and its stand-in."`
	Report reportCommand `cmd:"" help:"Make a document, or list the documents there are."`
	Bank   struct {
		Import bankImportCommand `cmd:"" help:"Take in a bank statement and book what is certain."`
	} `cmd:"" help:"Bank statements."`
	Remind  remindCommand  `cmd:"" help:"Enqueue the reminders that are due at a time."`
	Seed    seedCommand    `cmd:"" help:"Make up camps, families and registrations in a demo, in volume."`
	Staff   staffCommand   `cmd:"" help:"People who work in the office."`
	Keys    keysCommand    `cmd:"" help:"The keys that seal medical values and national numbers."`
	Check   checkCommand   `cmd:"" help:"Check configuration, database, schema, keys, Odoo, SMTP and payment provider."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// run is what a command works with.
type run struct {
	ctx    context.Context // ends at SIGINT or SIGTERM
	config Config
	out    io.Writer
	log    io.Writer
}

// Main runs the command line and returns the exit code: 0, 1 for a fault, told in one sentence on stderr, 2 for a
// command that does not exist.
func Main(args []string) int {
	var c commands
	code := -1
	parser, err := kong.New(&c,
		kong.Name("ribambelle"),
		kong.Description("Holiday camps of a town, side by side with its Odoo.\n\n"+environment()),
		kong.Exit(func(n int) { code = n }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false}),
	)
	if err != nil {
		panic("cli: " + err.Error())
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if code >= 0 { // --help
		return code
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "ribambelle: %v (try ribambelle --help)\n", err)
		return 2
	}
	// The second signal finds the default behaviour again: it ends a stop that hangs.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	config, err := loadConfig(os.LookupEnv)
	if err == nil || command.Command() == "keys new" { // which is how what is missing is made
		err = command.Run(&run{ctx: ctx, config: config, out: os.Stdout, log: os.Stderr})
	}
	if err != nil {
		if !errors.Is(err, errTold) {
			fmt.Fprintf(os.Stderr, "ribambelle: %s\n", sentence(err))
		}
		return 1
	}
	return 0
}

// errTold ends a command with code 1 whose output has said why.
var errTold = errors.New("told already")

// sentence puts an error on one line, without what must not be shown.
func sentence(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	return redact(strings.Join(lines, "; "))
}
