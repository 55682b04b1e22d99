package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"ribambelle/connector"
	"ribambelle/internal/account"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/mail"
	"ribambelle/internal/medical"
	"ribambelle/internal/notice"
	"ribambelle/internal/pay/bancontactpro"
	"ribambelle/internal/pay/mollie"
	"ribambelle/internal/seal"
	"ribambelle/internal/transport"
	"ribambelle/portal"
	"ribambelle/reports"
	campsync "ribambelle/sync"
)

// app is everything a command may need, wired together. Fields that the configuration leaves out are nil.
type app struct {
	config Config // with the demo's simulators filled in
	demo   bool
	home   *home
	sims   *simulators // nil outside the demo
	log    *slog.Logger
	now    civil.Clock

	db   *db.DB
	box  *seal.Box
	jobs *job.Client // inserts only; serve makes the working one

	account      *account.Store
	household    *household.Store
	medical      *medical.Store
	camp         *camp.Store
	transport    *transport.Store
	ledger       *ledger.Store
	attestations *ledger.Attestations
	enrol        *enrol.Store
	reports      *reports.Store
	notice       *notice.Store
	sync         *campsync.Syncer // nil: not mirrored

	odoo       *connector.Client     // nil: not mirrored
	sender     *mail.Sender          // nil: no mail leaves
	provider   *mollie.Client        // nil: transfer and counter
	bancontact *bancontactpro.Client // nil: none
}

// options is what a command asks of openApp.
type options struct {
	demo    bool       // --demo was given
	serving bool       // refuses what a single command may do: no mail server, a demo's home with real addresses
	level   slog.Level // from which the log is written
}

// openApp opens the home or the given database, the keys, the demo's simulators and the rooms. The private database is
// migrated; a given one must be up to date. Close the app when done.
func openApp(r *run, o options) (_ *app, err error) {
	a := &app{config: r.config, home: &home{dir: r.config.Home}, log: newLogger(r.log, o.level), now: time.Now}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.demo, err = a.home.demo(a.config, o.demo); err != nil {
		return nil, err
	}
	if o.serving && a.demo && !o.demo && a.config.outside() {
		return nil, fmt.Errorf("the home %s holds a demo, which must not reach the world outside: set another RIBAMBELLE_HOME, or give --demo", a.home.dir)
	}
	if o.serving && !a.demo && a.config.SMTPURL == "" {
		return nil, errors.New("SMTP_URL is not set: sign-up, reminders and invoices need mail (ribambelle serve --demo shows everything without)")
	}
	if err := a.home.remember(a.config, a.demo); err != nil {
		return nil, err
	}
	if a.demo {
		if a.sims, err = a.home.simulate(r.ctx, a.log); err != nil {
			return nil, err
		}
		a.config = a.sims.fill(a.config)
	}
	if err := a.openDatabase(r.ctx); err != nil {
		return nil, err
	}
	if err := a.openKeys(r.ctx); err != nil {
		return nil, err
	}
	if err := a.openOutside(); err != nil {
		return nil, err
	}
	if a.jobs, err = job.NewInserter(a.db); err != nil {
		return nil, err
	}
	a.openRooms()
	return a, nil
}

// openDatabase connects, and brings the private database's schema up to date.
func (a *app) openDatabase(ctx context.Context) error {
	url, err := a.databaseURL(ctx)
	if err != nil {
		return err
	}
	if a.db, err = db.Open(ctx, url); err != nil {
		return err
	}
	if a.config.DatabaseURL != "" {
		return db.CheckSchema(ctx, a.db)
	}
	return db.Migrate(ctx, a.db)
}

// databaseURL returns the given database, or the home's own.
func (a *app) databaseURL(ctx context.Context) (string, error) {
	if a.config.DatabaseURL != "" {
		return a.config.DatabaseURL, nil
	}
	return a.home.database(ctx, "ribambelle")
}

// openKeys loads the keys and proves that they are the ones the database was sealed with.
func (a *app) openKeys(ctx context.Context) error {
	var err error
	if a.config.SealKeyset != "" {
		if a.box, err = seal.Load([]byte(a.config.SealKeyset)); err != nil {
			return fmt.Errorf("SEAL_KEYSET: %w", err)
		}
	} else if a.box, err = a.home.keys(); err != nil {
		return err
	}
	sealed, err := a.box.Seal([]byte("ribambelle"), seal.ProofSetting)
	if err != nil {
		return err
	}
	const q = `
		INSERT INTO setting (key, value)
		VALUES (@key, encode(@sealed, 'base64'))
		ON CONFLICT (key) DO UPDATE SET key = excluded.key
		RETURNING decode(value, 'base64')`
	var kept []byte
	if err := a.db.QueryRow(ctx, q, pgx.NamedArgs{"key": seal.ProofSetting, "sealed": sealed}).Scan(&kept); err != nil {
		return fmt.Errorf("proving the keys: %w", err)
	}
	if _, err := a.box.Open(kept, seal.ProofSetting); err != nil {
		return errors.New("these keys are not the ones that this database was sealed with: set SEAL_KEYSET to the right keyset" + a.home.instead())
	}
	return nil
}

// openOutside makes the clients of the world outside. None of them calls yet.
func (a *app) openOutside() (err error) {
	if a.config.OdooURL != "" {
		if a.odoo, err = newOdoo(a.config); err != nil {
			return err
		}
	}
	if a.config.SMTPURL != "" {
		if err := a.openSender(); err != nil {
			return err
		}
	}
	if a.config.MollieAPIKey != "" {
		if err := a.openProvider(); err != nil {
			return err
		}
	}
	if a.config.BancontactKey != "" {
		return a.openBancontact()
	}
	return nil
}

func (a *app) openSender() (err error) {
	if a.sender, err = mail.NewSender(a.config.SMTPURL, a.config.MailFrom); err != nil {
		return fmt.Errorf("the settings of the mail server: %w", err)
	}
	return nil
}

func (a *app) openProvider() (err error) {
	if a.provider, err = mollie.New(cmp.Or(a.config.MollieAPIURL, mollie.DefaultURL), a.config.MollieAPIKey); err != nil {
		return fmt.Errorf("the settings of the payment provider: %w", err)
	}
	return nil
}

func (a *app) openBancontact() (err error) {
	a.bancontact, err = bancontactpro.New(bancontactpro.Options{
		URL: cmp.Or(a.config.BancontactURL, bancontactpro.DefaultURL), Key: a.config.BancontactKey,
		Profile: a.config.BancontactProfile, SigningKey: a.config.BancontactSigningKey,
	})
	if err != nil {
		return fmt.Errorf("the settings of Bancontact Pro: %w", err)
	}
	return nil
}

// openRooms puts the domain together.
func (a *app) openRooms() {
	a.account = account.New(a.db, a.now, a.box, a.jobs)
	a.household = household.New(a.db, a.now, a.box, a.jobs)
	a.medical = medical.New(a.db, a.now, a.box, a.household)
	a.camp = camp.New(a.db, a.now)
	a.transport = transport.New(a.db, a.now)
	a.ledger = ledger.New(a.db, a.now)
	a.attestations = ledger.NewAttestations(a.db, a.now, a.box, a.household, a.jobs)
	a.reports = reports.New(a.db, a.now, a.medical)
	a.enrol = &enrol.Store{DB: a.db, Now: a.now, Jobs: a.jobs, Households: a.household}
	a.enrol.WebhookURLs = map[string]string{}
	if a.provider != nil {
		a.enrol.Providers = append(a.enrol.Providers, a.provider)
		a.enrol.WebhookURLs[a.provider.Name()] = a.webhookURL(portal.MollieSignalPath)
	}
	if a.bancontact != nil {
		a.enrol.Providers = append(a.enrol.Providers, a.bancontact)
		a.enrol.WebhookURLs[a.bancontact.Name()] = a.webhookURL(portal.BancontactSignalPath)
	}
	var sender notice.Sender // an interface that holds a nil *mail.Sender would not be nil
	if a.sender != nil {
		sender = a.sender
	}
	a.notice = notice.New(a.db, a.now, a.jobs, sender, a.account, a.reports, a.config.PublicURL, a.log)
	a.notice.Attestations = a.attestations
	if a.odoo != nil {
		a.sync = &campsync.Syncer{DB: a.db, Now: a.now, Odoo: a.odoo, Camps: a.camp, Enrol: a.enrol, Households: a.household, Log: a.log}
	}
}

// webhookURL is where a payment provider signals, at a path of the portal; "" when it could not reach us: the sweep does
// without. The demo's providers run on this machine.
func (a *app) webhookURL(path string) string {
	u, err := url.Parse(a.config.PublicURL)
	if err != nil {
		return ""
	}
	ip := net.ParseIP(u.Hostname())
	if local := u.Hostname() == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate()); local && !a.demo {
		return ""
	}
	return a.config.PublicURL + path
}

// close gives everything back, the private cluster last.
func (a *app) close() error {
	var errs []error
	if a.odoo != nil {
		a.odoo.Close()
	}
	if a.db != nil {
		a.db.Close()
	}
	if a.sims != nil {
		errs = append(errs, a.sims.close())
	}
	return errors.Join(append(errs, a.home.close())...)
}
