package cli

import (
	"errors"
	"fmt"
	"log/slog"

	"ribambelle/connector/eventmodule"
	"ribambelle/internal/db"
)

type odooServeCommand struct {
	Listen   string `help:"Address to listen on." default:"127.0.0.1:8069"`
	DB       string `name:"db" help:"Name of the database that clients give." default:"odoo"`
	User     string `help:"Login of the administrator." default:"admin"`
	Password string `help:"Password of the administrator; better in ODOO_PASSWORD or ODOO_PASSWORD_FILE."`
}

// Run serves the event module from a database of its own in the home's private cluster until SIGINT or SIGTERM.
func (c odooServeCommand) Run(r *run) (err error) {
	password := c.Password
	if password == "" {
		password = r.config.OdooPassword
	}
	if password == "" {
		return errors.New("the event module needs a password for its administrator: give --password or ODOO_PASSWORD")
	}
	l, err := listen(r.ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	defer l.Close()
	log := newLogger(r.log, slog.LevelWarn)
	h := &home{dir: r.config.Home}
	defer func() { err = errors.Join(err, h.close()) }()
	url, err := h.database(r.ctx, "odoo_"+c.DB)
	if err != nil {
		return err
	}
	d, err := db.Open(r.ctx, url)
	if err != nil {
		return err
	}
	defer d.Close()
	module, err := eventmodule.Open(r.ctx, d.Pool, eventmodule.Options{
		DB: c.DB, Logger: log, Users: []eventmodule.User{{Login: c.User, Password: password, Admin: true}},
	})
	if err != nil {
		return err
	}
	s := serveHTTP(l, module, log)
	fmt.Fprintf(r.out, "The event module answers on http://%s (database %s, user %s).\n", l.Addr(), c.DB, c.User)
	select {
	case <-r.ctx.Done():
		s.shutdown()
		return nil
	case err := <-s.failed:
		return err
	}
}
