-- The shop. Runs at every start: orders are brought up to date, what callers asked for is kept.

CREATE TABLE IF NOT EXISTS orders (
    order_number TEXT PRIMARY KEY,
    item_en TEXT NOT NULL,
    item_zh TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('processing', 'shipped', 'out_for_delivery', 'delivered', 'delayed', 'cancelled', 'returned')),
    days INTEGER NOT NULL DEFAULT 0  -- until it arrives; 0 where that has no meaning
);

CREATE TABLE IF NOT EXISTS returns (
    return_number INTEGER PRIMARY KEY AUTOINCREMENT,
    order_number TEXT NOT NULL UNIQUE REFERENCES orders (order_number),
    reason TEXT NOT NULL CHECK (reason IN ('damaged', 'wrong_item', 'changed_mind')),
    session TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

INSERT OR IGNORE INTO sqlite_sequence (name, seq)
    SELECT 'returns', 7000 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'returns');

CREATE TABLE IF NOT EXISTS callbacks (
    callback_number INTEGER PRIMARY KEY AUTOINCREMENT,
    phone TEXT NOT NULL,
    topic TEXT NOT NULL,     -- the caller's words that led to it
    language TEXT NOT NULL,
    session TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (phone, session)  -- asking twice in one call is one request
);

INSERT OR REPLACE INTO orders (order_number, item_en, item_zh, status, days) VALUES
    ('1234', 'the brass desk lamp', '黄铜台灯', 'shipped', 2),
    ('1235', 'the linen tablecloth', '亚麻桌布', 'processing', 4),
    ('1357', 'the cast iron pan', '铸铁锅', 'out_for_delivery', 0),
    ('2026', 'the wool blanket', '羊毛毯', 'delivered', 0),
    ('2345', 'the reading lamp', '阅读灯', 'delivered', 0),
    ('2468', 'the set of four mugs', '四个马克杯', 'delayed', 6),
    ('3007', 'the bread knife', '面包刀', 'shipped', 1),
    ('3141', 'the pie dish', '派盘', 'delivered', 0),
    ('3456', 'the floor lamp', '落地灯', 'processing', 5),
    ('4096', 'the cotton sheets', '纯棉床单', 'delivered', 0),
    ('4420', 'the tea kettle', '烧水壶', 'shipped', 3),
    ('4567', 'the table runner', '桌旗', 'cancelled', 0),
    ('5005', 'the pendant lamp', '吊灯', 'out_for_delivery', 0),
    ('5678', 'the chopping board', '砧板', 'delivered', 0),
    ('6021', 'the two cushions', '两个靠垫', 'delayed', 8),
    ('6789', 'the coffee grinder', '磨豆机', 'delivered', 0),
    ('7070', 'the night light', '小夜灯', 'returned', 0),
    ('8008', 'the bath towels', '浴巾', 'shipped', 4),
    ('8765', 'the salad bowl', '沙拉碗', 'delivered', 0),
    ('9012', 'the wall lamp', '壁灯', 'processing', 3);
