PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE base (
    remote TEXT NOT NULL, key BLOB NOT NULL, md5 TEXT NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
    common INTEGER NOT NULL, PRIMARY KEY (remote, key)) WITHOUT ROWID;
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/',X'302E706E67','351034bb2fda1c60cb37c72305af6c27','351034bb2fda1c60cb37c72305af6c27',75,1);
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/',X'302E747874','ac9dd89c3851c297ea95cb50d2e514d8','ac9dd89c3851c297ea95cb50d2e514d8',27,1);
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/',X'312E747874','3add4b7eb65d7feeaa406bba48c8ee40','3add4b7eb65d7feeaa406bba48c8ee40',27,1);
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/',X'322E747874','989ab606a254ada80548d85c28e53231','989ab606a254ada80548d85c28e53231',27,1);
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/',X'636166C3A92E747874','d61c2850fb967d671fa47b2c3b7ab57b','d61c2850fb967d671fa47b2c3b7ab57b',7,1);
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/ verified',X'302E706E67','351034bb2fda1c60cb37c72305af6c27','351034bb2fda1c60cb37c72305af6c27 2026-11-29T23:14:45Z',75,1);
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/ verified',X'302E747874','ac9dd89c3851c297ea95cb50d2e514d8','ac9dd89c3851c297ea95cb50d2e514d8 2026-11-29T23:14:45Z',27,1);
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/ verified',X'312E747874','3add4b7eb65d7feeaa406bba48c8ee40','3add4b7eb65d7feeaa406bba48c8ee40 2026-11-29T23:14:45Z',27,1);
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/ verified',X'322E747874','5731389fc7c68b472a118495a5d93983','989ab606a254ada80548d85c28e53231 2026-11-29T23:14:45Z',27,0);
INSERT INTO "base" VALUES('embedded:/srv/library/.hashmark/bucket/datasets/82_stellar_sketch/ verified',X'636166C3A92E747874','d61c2850fb967d671fa47b2c3b7ab57b','d61c2850fb967d671fa47b2c3b7ab57b 2026-11-29T23:14:45Z',7,1);
CREATE TABLE content (
    kind TEXT NOT NULL, md5 TEXT NOT NULL, flags TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (kind, md5)) WITHOUT ROWID;
INSERT INTO "content" VALUES('caption-2','3add4b7eb65d7feeaa406bba48c8ee40','','["utf-8", 1, false, 6, null]');
INSERT INTO "content" VALUES('caption-2','5731389fc7c68b472a118495a5d93983','','["utf-8", 1, true, 6, null]');
INSERT INTO "content" VALUES('caption-2','989ab606a254ada80548d85c28e53231','','["utf-8", 1, false, 6, null]');
INSERT INTO "content" VALUES('caption-2','ac9dd89c3851c297ea95cb50d2e514d8','','["utf-8", 1, false, 6, null]');
INSERT INTO "content" VALUES('caption-2','d61c2850fb967d671fa47b2c3b7ab57b','','["utf-8", 1, false, 1, null]');
INSERT INTO "content" VALUES('image-1','351034bb2fda1c60cb37c72305af6c27','','["PNG", 8, 8, null, 1, false, null, null]');
CREATE TABLE digest (
    dataset BLOB NOT NULL, key BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, inode BLOB NOT NULL, device BLOB NOT NULL, md5 TEXT NOT NULL,
    PRIMARY KEY (dataset, key)) WITHOUT ROWID;
INSERT INTO "digest" VALUES(X'38325F7374656C6C61725F736B65746368',X'302E706E67',75,1795994081948421711,1795994081948421711,'2334802','65024','351034bb2fda1c60cb37c72305af6c27');
INSERT INTO "digest" VALUES(X'38325F7374656C6C61725F736B65746368',X'302E747874',27,1795994081930399247,1795994081930399247,'2334755','65024','ac9dd89c3851c297ea95cb50d2e514d8');
INSERT INTO "digest" VALUES(X'38325F7374656C6C61725F736B65746368',X'312E747874',27,1795994081930519002,1795994081930519002,'2334771','65024','3add4b7eb65d7feeaa406bba48c8ee40');
INSERT INTO "digest" VALUES(X'38325F7374656C6C61725F736B65746368',X'322E747874',27,1795994081930622256,1795994081930622256,'2334786','65024','989ab606a254ada80548d85c28e53231');
INSERT INTO "digest" VALUES(X'38325F7374656C6C61725F736B65746368',X'636166C3A92E747874',7,1795994081951319170,1795994081951319170,'2334818','65024','d61c2850fb967d671fa47b2c3b7ab57b');
CREATE TABLE fact (
    store TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (store, name)) WITHOUT ROWID;
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','checksum','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','conditional-delete','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','content-md5','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','copy','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','create-only','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','etag-md5','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','etag-multipart','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','etag-part-copy','no');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','replace-only','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','start-after','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket','write','yes');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket scratch','datasets/.hashmark/probe-36cd4109877b.txt','under way');
INSERT INTO "fact" VALUES('embedded:/srv/library/.hashmark/bucket uploads','datasets/82_stellar_sketch/large.png','VXBsb2FkIG9mIGEga2lsbGVkIHB1c2g');
COMMIT;
