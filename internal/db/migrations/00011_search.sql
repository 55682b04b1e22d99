-- What staff search in at once, however many people there are.

-- +goose Up
-- The words of names, once each: few beside the people who bear them. A slip of the pen is looked for among the words,
-- and then those words among the people.
CREATE TABLE name_word (
  word text COLLATE "C" PRIMARY KEY
);
INSERT INTO name_word (word)
SELECT DISTINCT unnest(string_to_array(name_key, ' '))
FROM (SELECT name_key FROM child UNION ALL SELECT name_key FROM guardian) AS names
WHERE name_key <> ''
ON CONFLICT DO NOTHING;
-- +goose StatementBegin
CREATE FUNCTION name_word_keep() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO name_word (word)
  SELECT DISTINCT w
  FROM unnest(string_to_array(name_key(NEW.first_name, NEW.last_name), ' ')) AS w
  WHERE w <> ''
    AND NOT EXISTS (SELECT 1 FROM name_word n WHERE n.word = w COLLATE "C")
  ORDER BY w
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER child_name_words AFTER INSERT OR UPDATE OF first_name, last_name ON child FOR EACH ROW EXECUTE FUNCTION name_word_keep();
CREATE TRIGGER guardian_name_words AFTER INSERT OR UPDATE OF first_name, last_name ON guardian FOR EACH ROW EXECUTE FUNCTION name_word_keep();
CREATE INDEX child_name_words ON child USING gin (string_to_array(name_key, ' '));
CREATE INDEX guardian_name_words ON guardian USING gin (string_to_array(name_key, ' '));
-- The last digits of a telephone number, as people remember them.
CREATE INDEX guardian_phone_end ON guardian (reverse(phone) text_pattern_ops) WHERE phone <> '';
-- How many requests lie ready for a camp.
CREATE INDEX basket_line_camp ON basket_line (camp_id);

-- +goose Down
DROP INDEX basket_line_camp;
DROP INDEX guardian_phone_end, guardian_name_words, child_name_words;
DROP TRIGGER guardian_name_words ON guardian;
DROP TRIGGER child_name_words ON child;
DROP FUNCTION name_word_keep();
DROP TABLE name_word;
