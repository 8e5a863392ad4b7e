-- Orders that no strategy proposed: those by hand are few among very many.
CREATE INDEX orders_by_origin ON orders (shard, origin, id) WHERE origin <> 'strategy';
