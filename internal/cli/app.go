package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	"ribambelle/internal/pay/mollie"
	"ribambelle/internal/seal"
	"ribambelle/internal/transport"
	"ribambelle/reports"
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

	account   *account.Store
	household *household.Store
	medical   *medical.Store
	camp      *camp.Store
	transport *transport.Store
	ledger    *ledger.Store
	enrol     *enrol.Store
	reports   *reports.Store

	odoo     *connector.Client // nil: not mirrored
	sender   *mail.Sender      // nil: no mail leaves
	provider *mollie.Client    // nil: transfer and counter
}

// openApp opens the home or the given database, the keys, the demo's simulators and the rooms. The private database is
// migrated; a given one must be up to date. Close the app when done.
func openApp(r *run, askDemo bool) (_ *app, err error) {
	a := &app{config: r.config, home: &home{dir: r.config.Home}, log: newLogger(r.log), now: time.Now}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.demo, err = a.home.demo(a.config, askDemo); err != nil {
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

// keysProof is the setting that holds a sealed word: keys that do not open it are not this database's keys.
const keysProof = "seal.proof"

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
	sealed, err := a.box.Seal([]byte("ribambelle"), keysProof)
	if err != nil {
		return err
	}
	const q = `
		INSERT INTO setting (key, value)
		VALUES (@key, encode(@sealed, 'base64'))
		ON CONFLICT (key) DO UPDATE SET key = excluded.key
		RETURNING decode(value, 'base64')`
	var kept []byte
	if err := a.db.QueryRow(ctx, q, pgx.NamedArgs{"key": keysProof, "sealed": sealed}).Scan(&kept); err != nil {
		return fmt.Errorf("proving the keys: %w", err)
	}
	if _, err := a.box.Open(kept, keysProof); err != nil {
		return errors.New("these keys are not the ones that this database was sealed with: set SEAL_KEYSET to the right keyset")
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
		return a.openProvider()
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

// openRooms puts the domain together.
func (a *app) openRooms() {
	a.account = account.New(a.db, a.now, a.box, a.jobs)
	a.household = household.New(a.db, a.now, a.box, a.jobs)
	a.medical = medical.New(a.db, a.now, a.box, a.household)
	a.camp = camp.New(a.db, a.now)
	a.transport = transport.New(a.db, a.now)
	a.ledger = ledger.New(a.db, a.now)
	a.reports = reports.New(a.db, a.now, a.medical)
	a.enrol = &enrol.Store{DB: a.db, Now: a.now, Jobs: a.jobs, Households: a.household}
	if a.provider != nil {
		a.enrol.Provider = a.provider
		a.enrol.WebhookURL = a.config.PublicURL + "/webhooks/mollie"
	}
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
