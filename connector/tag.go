package connector

import (
	"context"
	"time"
)

// The models of tags and their categories.
const (
	ModelTag         = "event.tag"
	ModelTagCategory = "event.tag.category"
)

// Tag is one event.tag.
type Tag struct {
	ID int64
	// Name is name, in the language of the session.
	Name string
	// Category is category_id; every tag has one.
	Category Ref
	// Sequence is sequence, the order within the category.
	Sequence int64
	// Color is color, 0 to 11; 0 hides the tag on the website.
	Color int64
	// Written is write_date, in UTC.
	Written time.Time
}

// TagCategory is one event.tag.category.
type TagCategory struct {
	ID int64
	// Name is name, in the language of the session.
	Name string
	// Sequence is sequence.
	Sequence int64
	// TagIDs is tag_ids.
	TagIDs []int64
	// Written is write_date, in UTC.
	Written time.Time
}

var tagModel = model[Tag]{
	name:   ModelTag,
	fields: []string{"name", "category_id", "sequence", "color", "write_date"},
	from: func(r *row, _ Profile) Tag {
		return Tag{ID: r.id, Name: r.text("name"), Category: r.ref("category_id"), Sequence: r.integer("sequence"), Color: r.integer("color"), Written: r.instant("write_date")}
	},
}

var tagCategoryModel = model[TagCategory]{
	name:   ModelTagCategory,
	fields: []string{"name", "sequence", "tag_ids", "write_date"},
	from: func(r *row, _ Profile) TagCategory {
		return TagCategory{ID: r.id, Name: r.text("name"), Sequence: r.integer("sequence"), TagIDs: r.ids("tag_ids"), Written: r.instant("write_date")}
	},
}

// TagsChanged returns the tags written at or after since; all for the zero
// time.
func (c *Client) TagsChanged(ctx context.Context, since time.Time) ([]Tag, error) {
	return collect(ctx, c, tagModel, changedSince(since))
}

// TagCategoriesChanged returns the tag categories written at or after since;
// all for the zero time.
func (c *Client) TagCategoriesChanged(ctx context.Context, since time.Time) ([]TagCategory, error) {
	return collect(ctx, c, tagCategoryModel, changedSince(since))
}
