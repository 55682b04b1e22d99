package cli

import (
	"errors"
	"fmt"

	"ribambelle/internal/db"
)

type migrateCommand struct{}

// Run migrates the given database, or the home's own, the job queue's tables included.
func (migrateCommand) Run(r *run) (err error) {
	a := &app{config: r.config, home: &home{dir: r.config.Home}}
	defer func() { err = errors.Join(err, a.close()) }()
	url, err := a.databaseURL(r.ctx)
	if err != nil {
		return err
	}
	if a.db, err = db.Open(r.ctx, url); err != nil {
		return err
	}
	before, _, err := db.SchemaVersion(r.ctx, a.db)
	if err != nil {
		return err
	}
	if err := db.Migrate(r.ctx, a.db); err != nil {
		return err
	}
	after, _, err := db.SchemaVersion(r.ctx, a.db)
	if err != nil {
		return err
	}
	if before == after {
		fmt.Fprintf(r.out, "The schema is up to date at version %d.\n", after)
		return nil
	}
	fmt.Fprintf(r.out, "The schema went from version %d to %d.\n", before, after)
	return nil
}
