-- A store as version 2 wrote it, made from one of version 1, with something of everything. Never
-- edited: newer versions must read it.
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE attempts (
    queue INTEGER NOT NULL,
    id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (queue, id)
) WITHOUT ROWID;
INSERT INTO "attempts" VALUES(6,'try-1',1700000005000,'{"id":"try-1","received_at_ms":1700000005000,"messages":[{"seq":5,"receipt":257622107643922441,"visible_at_ms":1700000605000},{"seq":6,"receipt":3449780809635371076,"visible_at_ms":1700000605000}]}');
CREATE TABLE dropped (partition INTEGER PRIMARY KEY);
INSERT INTO "dropped" VALUES(2);
INSERT INTO "dropped" VALUES(8);
CREATE TABLE duplicates (
    n INTEGER PRIMARY KEY,
    sent_at INTEGER NOT NULL,
    hash BLOB NOT NULL,
    message TEXT NOT NULL,
    seq INTEGER NOT NULL
);
INSERT INTO "duplicates" VALUES(1,1700000004000,X'D41094202ABB8733D7B81DA07452F878','dda90b38-662a-4d7c-b64f-6b6723382a8f',1);
INSERT INTO "duplicates" VALUES(2,1700000004000,X'F7FB57A1ACDA47546BD19944C96E367B','7e85eecd-068c-423f-9fdd-d5d27fdd8d65',2);
INSERT INTO "duplicates" VALUES(3,1700000004000,X'AEE2944A5E87AD18317B5E9C982A3B69','add98c53-a265-41c5-9d35-ae328a2bedab',3);
INSERT INTO "duplicates" VALUES(4,1700000004000,X'30A574EA1EEC9930E88BF514D6091ECD','7092a9b9-6e2e-4925-890f-d85087f559d2',4);
INSERT INTO "duplicates" VALUES(5,1700000004000,X'C45F4986CB281E9CA1844C3E6FB76FCC','34a2aeff-55f8-4028-9ea0-6e591593529a',5);
INSERT INTO "duplicates" VALUES(6,1700000004000,X'7ECAA6A68857447E2DAB84685BA12960','2ad9cf02-417e-48cc-9385-a380dff52f52',6);
INSERT INTO "duplicates" VALUES(7,1700000004000,X'A11CA8F5B66CD19A9E32DC63580251C8','adc5b692-1b52-4c93-8123-a6363d9b5cae',7);
INSERT INTO "duplicates" VALUES(8,1700000004000,X'66462C87FA9FCDF9A377CC6EA6910D6E','fa4b884c-78fa-4f3a-8329-a7f2fb95ddf8',8);
INSERT INTO "duplicates" VALUES(9,1700000005000,X'0083D589A944DB50C676CA4907AB916D','p-3',1);
INSERT INTO "duplicates" VALUES(10,1700000005000,X'951A5569214CB438856D1A76C2632C34','952623d4-4806-49b2-b2cf-a48667ae413c',10);
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    data TEXT NOT NULL,
    hash BLOB NOT NULL,
    customer TEXT,
    secret BLOB,
    key BLOB,
    body INTEGER
);
INSERT INTO "log" VALUES(1,1,0,1,1700000000000,0,'{"sku":"CP-502101","quantity":4,"unitPrice":450,"currency":"EUR","stock":[4,0,0,0,0,0]}',X'7D41D91154D0771304636A9FE5031D815AB5B3659D7830530C8508051077514B',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(2,2,0,1,1700000000000,0,'{"sku":"plain","quantity":2,"unitPrice":450,"currency":"EUR","stock":[2,0,0,0,0,0]}',X'94C94E772B3D7C421ACC1508B495BD8F27470CF47B7368582F06E5422C633D00',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(3,1,1,11,1700000000000,3,'{"sku":"CP-502101","place":1,"quantity":2,"unitPrice":450,"currency":"EUR","buyer":"b86ebec666f11b4d2ff0efe97aeb3380","stock":[4,0,2,0,0,1]}',X'3B0A83FCDB0B0DA066A5F2100043AAA238B1C4017EDA904DB30F75F10E6879F2','Ada@Example.com',X'7834F1390A70E243FD92',X'1A0D12016999E47689DAE5744D2B8C19',-2);
INSERT INTO "log" VALUES(4,1,3,30,1700000000000,4,'{"sku":"CP-502101","quantity":10,"stock":[4,0,2,0,0,1],"replenishment":"rep_0000000004vmda0w608p9jxmx7","factory":"FF-500293","status":"requested"}',X'3A90D07CD8744870A9D101441FC94C94AB051264DAB067673C8EC564B687C327',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(5,1,4,11,1700000000000,5,'{"sku":"CP-502101","place":2,"quantity":2,"unitPrice":450,"currency":"EUR","buyer":"85a41dc9ac9116673e186955d1c9a8d6","stock":[4,0,4,0,0,2]}',X'C654747C5F809B53CE300F4AF0D26C603A2E7FD06D568E6203F9DE1A0216AA15','bob@example.com',X'FD320BF8B3BB1BFEEFBD',X'EA21C7B3C885CF2FB547BB51016C8BBB',-3);
INSERT INTO "log" VALUES(6,1,5,10,1700000001000,6,'{"sku":"CP-502101","place":3,"quantity":1,"unitPrice":450,"currency":"EUR","buyer":"6663b7bce26372a11c4070055cc3594c","stock":[4,0,4,1,1,3]}',X'208B76121B00A955376C7DF1B12E8BA40BEFAB03C0C54CE3716D40BA81C982FE','eve@example.com',X'031A3F681071044A131E',X'E3D5003EAD1A936380020220637F7B8E',-4);
INSERT INTO "log" VALUES(7,1,6,10,1700000001000,7,'{"sku":"CP-502101","place":4,"quantity":2,"unitPrice":450,"currency":"EUR","buyer":"ac6d8339d1b32670bfc4487e5ce214ed","stock":[4,0,4,2,3,4]}',X'0F19F69A317A0DD2C731083EA2B02A2DD55A353000DC1831FF517C66AE706799','eve@example.com',X'1B308EB1EF3A0304178E',X'846333980F613B6BFFC8021457063C93',-5);
INSERT INTO "log" VALUES(8,1,7,10,1700000001000,8,'{"sku":"CP-502101","place":5,"quantity":3,"unitPrice":450,"currency":"EUR","buyer":"10ba22e3dd3f63cbea8ccbee49e300b8","stock":[4,0,4,3,6,5]}',X'7844A77063FD299FA1B209F8311355A01B87FA14A8F9CB9D0B5033192AB32D62','zoe@example.com',X'040BBE368EDB6C0D9D93',X'7670A5A683B5119971841294A5291A33',-6);
INSERT INTO "log" VALUES(9,2,2,11,1700000001000,9,'{"sku":"plain","place":1,"quantity":1,"unitPrice":450,"currency":"EUR","buyer":"8ff3b38d08eb7d7e04cf1aa5ba7d9ace","stock":[2,0,1,0,0,1]}',X'04BF2BB2B6B3F3B0664560D6281138BFE8264C417C3D56B73586C303DB3FCE01','ada@example.com',X'E374E50C00C6E455A6DD',NULL,1);
INSERT INTO "log" VALUES(10,2,9,12,1700000001000,10,'{"sku":"plain","place":2,"quantity":2,"unitPrice":450,"currency":"EUR","buyer":"77a1905faa326f1a68a95957885f765a","stock":[2,0,1,0,0,2]}',X'5644C36E3E487CFE7B0643E69371E0E1E4C91A3DADB333636F74C2E974F9E9A8','zoe@example.com',X'BCE20C8A42614CAA4158',X'B7890E7019B8E244E32F4D84A995C0F0',-7);
INSERT INTO "log" VALUES(11,1,8,13,1700000002000,6,'{"sku":"CP-502101","place":3,"quantity":1,"stock":[4,0,4,2,5,5],"was":"pending"}',X'2F0F62F7827AE5C0CC9E0A88B2FEFE3E7A3ABA7A0058779FF5A72CEB54A0FF7B','eve@example.com',NULL,NULL,0);
INSERT INTO "log" VALUES(12,1,11,13,1700000002000,3,'{"sku":"CP-502101","place":1,"quantity":2,"stock":[4,0,2,2,5,5],"was":"accepted"}',X'C83979227806CA9CD304483382161D765EAAD1C84352230B9B1382B5283635B3','Ada@Example.com',NULL,NULL,0);
INSERT INTO "log" VALUES(13,1,12,11,1700000002000,7,'{"sku":"CP-502101","place":4,"quantity":2,"stock":[4,0,4,1,3,5]}',X'E3C6288429120A4A079C5FB214C9A280B455546CDC3016B8A58EF3FFF448B715','eve@example.com',NULL,NULL,0);
INSERT INTO "log" VALUES(14,2,10,20,1700000002000,0,'{"sku":"plain","quantity":5,"stock":[7,0,1,0,0,2],"reference":"delivery \"1\" 🍩"}',X'37ECDFB07DA671D42404CEAB22BCB2EB66425058AEF5A6E9F04EE4E0E59A4EF0',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(15,1,13,31,1700000002000,4,'{"sku":"CP-502101","quantity":10,"stock":[4,0,4,1,3,5],"replenishment":"rep_0000000004vmda0w608p9jxmx7","factory":"FF-500293","status":"in_production"}',X'67C74DF6E43C2AAF23C75CC92E2B2C100BEC4EC6816F5992F607208575772B5C',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(16,1,15,33,1700000002000,4,'{"sku":"CP-502101","quantity":10,"stock":[4,0,4,1,3,5],"replenishment":"rep_0000000004vmda0w608p9jxmx7","factory":"FF-500293","status":"failed","reason":"overdue"}',X'27EA435AA34853552760E156AB34BDB9406259BA87ABF8577BFABEEF003F10C3',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(17,1,16,30,1700000003000,17,'{"sku":"CP-502101","quantity":10,"stock":[4,0,4,1,3,5],"replenishment":"rep_000000000h14gcb98ay2v0wzvw","factory":"FF-500293","status":"requested"}',X'887B1397332ABFE4B768F1D08506BD979D161689D2A0084CAE513038D80484CC',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(18,0,0,40,1700000003000,0,'{"reason":"received 1 times and not deleted","queue":"orders","deadLetterQueue":"orders-dead","messageId":"2b3c5089-0bfd-46f2-97d1-585be4c6883d","receiveCount":1}',X'3D5605050C0CB5F025E6995E1FA41D2D77F101040D9BFA1AC22CDEE416EB8E17',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(19,0,18,40,1700000004000,0,'{"reason":"received 1 times and not deleted","queue":"jobs.fifo","deadLetterQueue":"jobs-dead.fifo","messageId":"dda90b38-662a-4d7c-b64f-6b6723382a8f","receiveCount":1}',X'3F6C9AF5AE6DBBD0D33E5E043E03E04E5E0B7887331AF75517BB0BC9CF0EB8D4',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(20,0,19,40,1700000004000,0,'{"reason":"received 1 times and not deleted","queue":"jobs.fifo","deadLetterQueue":"jobs-dead.fifo","messageId":"7e85eecd-068c-423f-9fdd-d5d27fdd8d65","receiveCount":1}',X'AE87B9DF84BF3D44AF3546B8C1FA5FFF303E28D640085EB5890BF5B45F2567A2',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(21,0,20,40,1700000004000,0,'{"reason":"received 1 times and not deleted","queue":"jobs.fifo","deadLetterQueue":"jobs-dead.fifo","messageId":"add98c53-a265-41c5-9d35-ae328a2bedab","receiveCount":1}',X'AF4B03E044837D37A11060D48B382744EE56A3413B3F4C3F5DB21973BA43A514',NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(22,0,21,40,1700000004000,0,'{"reason":"received 1 times and not deleted","queue":"jobs.fifo","deadLetterQueue":"jobs-dead.fifo","messageId":"7092a9b9-6e2e-4925-890f-d85087f559d2","receiveCount":1}',X'321115B3B8573DC14F60DAF31F2FBAF16F30B97EE371C707AF78FFC2E439977C',NULL,NULL,NULL,NULL);
CREATE TABLE lookups (
    last_seq INTEGER PRIMARY KEY,
    newest_at INTEGER NOT NULL,
    entries BLOB NOT NULL
);
INSERT INTO "lookups" VALUES(7,1700000001000,X'030000000000000076E4996901120D1A262F3586FE48CCAD010000000200000005000000000000002FCF85C8B3C721EA275D4728F99305520100000002000000060000000000000063931AAD3E00D5E37D0FD254CC7B3754010000000100000007000000000000006B3B610F983363847D0FD254CC7B37540100000002000000');
INSERT INTO "lookups" VALUES(11,1700000002000,X'08000000000000009911B583A6A57076C6A448F2654F540C010000000300000009000000000000000000000000000000262F3586FE48CCAD02000000010000000A0000000000000044E2B819700E89B7C6A448F2654F540C0200000000000000060000000000000000000000000000007D0FD254CC7B375401000000FFFFFFFF');
CREATE TABLE message_groups (
    partition INTEGER NOT NULL,
    grp TEXT NOT NULL,
    available_at INTEGER NOT NULL,
    PRIMARY KEY (partition, grp)
) WITHOUT ROWID;
INSERT INTO "message_groups" VALUES(5,'a',1700000004000);
INSERT INTO "message_groups" VALUES(5,'c',1700000004000);
INSERT INTO "message_groups" VALUES(6,'b',1700000004000);
INSERT INTO "message_groups" VALUES(6,'a',1700000605000);
CREATE TABLE messages (
    key INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    held INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    first_received_at INTEGER,
    received_at INTEGER,
    receipt INTEGER,
    sent_at INTEGER NOT NULL,
    grp TEXT,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    extra TEXT
);
INSERT INTO "messages" VALUES(1099511627778,1,1700000003000,0,1,1700000003000,1700000003000,NULL,1700000003000,NULL,'8d187e8f-ddee-4b60-8cf6-3971492fb6c6','in flight',NULL);
INSERT INTO "messages" VALUES(1099511627779,1,1700000603000,0,0,NULL,NULL,NULL,1700000003000,NULL,'d2c6d822-d0bf-49cf-b809-2c3fef3af7b5','delayed','{"attributes":{"n":{"data_type":"Number","value":{"text":"1.50"}}}}');
INSERT INTO "messages" VALUES(1099511627780,1,1700000003000,0,0,NULL,NULL,NULL,1700000003000,NULL,'fcaee99f-c914-4270-977b-a98b64e0fa75','visible',NULL);
INSERT INTO "messages" VALUES(2199023255553,2,1700000003000,0,0,NULL,NULL,NULL,1700000003000,NULL,'2b3c5089-0bfd-46f2-97d1-585be4c6883d','dead','{"dead":{"source_queue":"orders","reason":"received 1 times and not deleted","receive_count":1,"at_ms":1700000003000}}');
INSERT INTO "messages" VALUES(5497558138882,5,1700000004000,0,0,NULL,NULL,NULL,1700000004000,'a','7e85eecd-068c-423f-9fdd-d5d27fdd8d65','a2','{"deduplication":"2c3a4249d77070058649dbd822dcaf7957586fce428cfb2ca88b94741eda8b07","dead":{"source_queue":"jobs.fifo","reason":"received 1 times and not deleted","receive_count":1,"at_ms":1700000004000}}');
INSERT INTO "messages" VALUES(5497558138883,5,1700000004000,0,0,NULL,NULL,NULL,1700000004000,'a','add98c53-a265-41c5-9d35-ae328a2bedab','a3','{"deduplication":"f46dd28a5499d8efef0b8fb8ee1ec1c5a5e407c9381741d576ba8deb4f59ec3f","dead":{"source_queue":"jobs.fifo","reason":"received 1 times and not deleted","receive_count":1,"at_ms":1700000004000}}');
INSERT INTO "messages" VALUES(5497558138884,5,1700000004000,0,0,NULL,NULL,NULL,1700000004000,'c','7092a9b9-6e2e-4925-890f-d85087f559d2','c1, dead','{"deduplication":"92aabea066e491942f72c2214128f9eefce352551ff58137583e81d468de433a","dead":{"source_queue":"jobs.fifo","reason":"received 1 times and not deleted","receive_count":1,"at_ms":1700000004000}}');
INSERT INTO "messages" VALUES(6597069766662,6,1700000605000,1,1,1700000005000,1700000005000,3449780809635371076,1700000004000,'a','2ad9cf02-417e-48cc-9385-a380dff52f52','a5','{"deduplication":"66220e71591b2d933c0e935c138ebfd60710b91fe2fb7599eced4430b3dbb3c9"}');
INSERT INTO "messages" VALUES(6597069766663,6,1700000004000,0,0,NULL,NULL,NULL,1700000004000,'a','adc5b692-1b52-4c93-8123-a6363d9b5cae','a6','{"deduplication":"730bea4ff16f200fb931b06cae08a5da8e279813775d7ed81e680b4a77946fe1"}');
INSERT INTO "messages" VALUES(6597069766664,6,1700000004000,0,0,NULL,NULL,NULL,1700000004000,'b','fa4b884c-78fa-4f3a-8329-a7f2fb95ddf8','b1 🍩','{"attributes":{"n":{"data_type":"Number","value":{"text":"1.50"}},"raw":{"data_type":"Binary","value":{"binary":"AP8"}}},"trace_header":"Root=1-5759e988-bd862e3fe1be46a994272793","sender":"AIDAEXAMPLE","deduplication":"once"}');
INSERT INTO "messages" VALUES(6597069766665,6,1700000005000,0,0,NULL,NULL,NULL,1700000005000,'a','dda90b38-662a-4d7c-b64f-6b6723382a8f','a1','{"deduplication":"f55ff16f66f43360266b95db6f8fec01d76031054306ae4a4b380598f6cfd114"}');
INSERT INTO "messages" VALUES(6597069766666,6,1700000005000,0,0,NULL,NULL,NULL,1700000005000,'a','952623d4-4806-49b2-b2cf-a48667ae413c','in order','{"deduplication":"63be856a06e4817df7943a1e197a3c60ee666433ddf971c1158b359af8500798"}');
INSERT INTO "messages" VALUES(7696581394433,7,1700000605000,1,1,1700000005000,1700000005000,-5185901813815243410,1700000005000,'tenant-1','56e26f16-c48e-4765-b248-9f4c49f7ef1c','f1',NULL);
INSERT INTO "messages" VALUES(7696581394434,7,1700000005000,0,0,NULL,NULL,NULL,1700000005000,'tenant-2','21fc3886-db22-4278-88ed-ea9e1de44644','f2',NULL);
INSERT INTO "messages" VALUES(7696581394435,7,1700000005000,0,0,NULL,NULL,NULL,1700000005000,NULL,'98990386-81b8-44fb-ae5d-2fdf1b3ebaaa','dear','{"attributes":{"price":{"data_type":"Number","value":{"text":"2"}}}}');
INSERT INTO "messages" VALUES(8796093022209,8,1700000005000,0,0,NULL,NULL,NULL,1700000005000,'g','5991d1ff-4fdd-40e3-9e9f-db9ac127b1a8','nobody reads it',NULL);
INSERT INTO "messages" VALUES(9895604649986,9,1700000005000,0,0,NULL,NULL,NULL,1700000005000,'g','511a1acb-f4c2-4f14-b1bf-2c32d584820d','sent after the purge',NULL);
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('next_queue',12);
INSERT INTO "meta" VALUES('probe',1700000003000);
INSERT INTO "meta" VALUES('relay_cursor',5);
INSERT INTO "meta" VALUES('system_seq',22);
CREATE TABLE order_changes (
    order_seq INTEGER PRIMARY KEY,
    status INTEGER NOT NULL,
    decided_at INTEGER,
    cancelled_at INTEGER,
    last_seq INTEGER NOT NULL
);
INSERT INTO "order_changes" VALUES(3,5,1700000000000,1700000002000,12);
INSERT INTO "order_changes" VALUES(6,5,NULL,1700000002000,11);
INSERT INTO "order_changes" VALUES(7,1,1700000002000,NULL,13);
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL
);
INSERT INTO "products" VALUES(1,'CP-502101','{"v":1,"id":1,"sku":"CP-502101","name":"Thing","price":450,"currency":"EUR","purchaseLimit":3,"whenSoldOut":"wait","opensAt":1699999999999,"reorder":{"point":2,"quantity":10,"factory":"FF-500293"},"adManager":"ads@example.com","createdAt":1700000000000,"stock":{"onHand":4,"reserved":0,"allocated":4,"received":4},"lastPlace":5,"waiting":1,"waitingUnits":3,"lastSeq":17,"lastHash":[136,123,19,151,51,42,191,228,183,104,241,208,133,6,189,151,157,22,22,137,210,160,8,76,174,81,48,56,216,4,132,204],"openReplenishment":17,"replenishNotBefore":1700000003000,"lastGrantAt":1700000002000,"grantRate":0}');
INSERT INTO "products" VALUES(2,'plain','{"v":1,"id":2,"sku":"plain","name":"Thing","price":450,"currency":"EUR","whenSoldOut":"reject","createdAt":1700000000000,"stock":{"onHand":7,"reserved":0,"allocated":1,"received":7},"lastPlace":2,"waiting":0,"waitingUnits":0,"lastSeq":14,"lastHash":[55,236,223,176,125,166,113,212,36,4,206,171,34,188,178,235,102,66,80,88,174,245,166,233,240,78,228,224,229,154,78,240],"replenishNotBefore":0,"lastGrantAt":0,"grantRate":0}');
CREATE TABLE queues (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    partition INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    total INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    purged_at INTEGER,
    config TEXT NOT NULL,
    more TEXT NOT NULL,
    moves TEXT NOT NULL
);
INSERT INTO "queues" VALUES(1,'orders',1,5,3,1700000003000,1700000003000,NULL,'{"visibility_timeout_s":30,"delay_s":0,"retention_s":345600,"message_bytes_max":1048576,"receive_wait_s":0,"redrive":{"dead_letter_queue":"orders-dead","max_receive_count":1},"fifo":null}','{}','[]');
INSERT INTO "queues" VALUES(2,'orders-dead',9,3,1,1700000003000,1700000003000,1700000005000,'{"visibility_timeout_s":30,"delay_s":0,"retention_s":345600,"message_bytes_max":1048576,"receive_wait_s":0,"redrive":null,"fifo":null}','{}','[]');
INSERT INTO "queues" VALUES(5,'jobs-dead.fifo',5,5,3,1700000004000,1700000004000,NULL,'{"visibility_timeout_s":30,"delay_s":0,"retention_s":345600,"message_bytes_max":1048576,"receive_wait_s":0,"redrive":null,"fifo":{"content_based_deduplication":true,"deduplication_scope":"queue","throughput_limit":"per_queue"}}','{"owner":"000000000000","redrive_allow":{"by_queue":["jobs.fifo"]},"tags":{"team":"donuts"}}','[{"id":"89a320d7-bcaf-4a6a-bbee-4d689c4ec84e","destination":null,"rate":10,"started_at":1700000005000,"moved":1,"to_move":4,"status":"RUNNING"}]');
INSERT INTO "queues" VALUES(6,'jobs.fifo',6,11,5,1700000004000,1700000004000,NULL,'{"visibility_timeout_s":30,"delay_s":0,"retention_s":345600,"message_bytes_max":1048576,"receive_wait_s":0,"redrive":{"dead_letter_queue":"jobs-dead.fifo","max_receive_count":1},"fifo":{"content_based_deduplication":true,"deduplication_scope":"message_group","throughput_limit":"per_message_group_id"}}','{"owner":"000000000000","policy":"{\"Version\": \"2012-10-17\"}","encryption":{"SqsManagedSseEnabled":"true"},"tags":{"team":"donuts"}}','[]');
INSERT INTO "queues" VALUES(7,'fair',7,4,3,1700000004000,1700000004000,NULL,'{"visibility_timeout_s":30,"delay_s":0,"retention_s":600,"message_bytes_max":1048576,"receive_wait_s":0,"redrive":null,"fifo":null}','{"owner":"000000000000","tags":{"team":"donuts"}}','[]');
CREATE TABLE receipts (
    product INTEGER NOT NULL,
    reference TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (product, reference)
) WITHOUT ROWID;
INSERT INTO "receipts" VALUES(2,'delivery "1" 🍩',5,14);
CREATE TABLE replenishments (
    seq INTEGER PRIMARY KEY,
    product INTEGER NOT NULL,
    open INTEGER NOT NULL,
    state TEXT NOT NULL
);
INSERT INTO "replenishments" VALUES(4,1,0,'{"v":1,"seq":4,"secret":[221,26,160,112,192,69,147,46,211,167],"product":1,"sku":"CP-502101","factory":"FF-500293","quantity":10,"status":"failed","attempts":1,"received":0,"reason":"overdue","detail":"nothing came","token":"eb42283ddb47136cf0331d5f7085aeb43da4d7977e6b7c75dd0640741b114afb","requestedAt":1700000000000,"startedAt":1700000002000,"closedAt":1700000002000}');
INSERT INTO "replenishments" VALUES(17,1,1,'{"v":1,"seq":17,"secret":[9,32,197,165,10,240,182,14,127,124],"product":1,"sku":"CP-502101","factory":"FF-500293","quantity":10,"status":"requested","attempts":1,"received":0,"reason":"factory_timeout","detail":"no answer","token":"49ee31b784ffb954daad3caaf802d1af7c2777727186405d2657b9fad965d877","requestedAt":1700000003000}');
CREATE TABLE subscriptions (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    state TEXT NOT NULL
);
INSERT INTO "subscriptions" VALUES(1,'5ba2882a-b960-45a6-8ef3-d9ee75d23c38','orders','{"topic":"orders","attributes":{},"created_at":0,"subscription":{"id":"5ba2882a-b960-45a6-8ef3-d9ee75d23c38","protocol":"queue","endpoint":"orders","raw":true,"confirmed":true}}');
INSERT INTO "subscriptions" VALUES(2,'2be156ea-be3c-4de2-82c0-9635f600c836','stock','{"topic":"stock","attributes":{},"created_at":0,"subscription":{"id":"2be156ea-be3c-4de2-82c0-9635f600c836","protocol":"queue","endpoint":"orders","raw":true,"confirmed":true}}');
INSERT INTO "subscriptions" VALUES(3,'37eac01b-353a-4cbb-a5dd-b3de2970b6f4','news','{"topic":"news","subscription":{"id":"37eac01b-353a-4cbb-a5dd-b3de2970b6f4","protocol":"https","endpoint":"https://example.com/hook","raw":false,"filter":null,"redrive":null,"confirmed":false},"owner":"000000000000","token":"37eac01b353a4cbba5ddb3de2970b6f4f5f2d58ff447913f354560f1aa8adbf639125b6d2d4fb802ebadfc285a8d1a58","attributes":{},"created_at":1700000005000}');
INSERT INTO "subscriptions" VALUES(4,'30fa99a4-e5b1-45f5-b0c0-4dd520443006','news','{"topic":"news","subscription":{"id":"30fa99a4-e5b1-45f5-b0c0-4dd520443006","protocol":"queue","endpoint":"fair","raw":true,"filter":{"scope":"message_attributes","text":"{\"price\": [{\"numeric\": [\">=\", 1.5]}]}"},"redrive":"orders-dead","confirmed":true},"owner":"000000000000","attributes":{"FilterPolicy":"{\"price\": [{\"numeric\": [\">=\", 1.5]}]}"},"created_at":1700000005000}');
INSERT INTO "subscriptions" VALUES(5,'c1255f60-b5da-45e8-be44-b104ec9f6287','news.fifo','{"topic":"news.fifo","subscription":{"id":"c1255f60-b5da-45e8-be44-b104ec9f6287","protocol":"queue","endpoint":"jobs.fifo","raw":false,"filter":null,"redrive":"jobs-dead.fifo","confirmed":true},"owner":"000000000000","attributes":{},"created_at":1700000005000}');
CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL
);
INSERT INTO "topics" VALUES(3,'orders','{"id":3,"topic":{"name":"orders","fifo":null},"attributes":{},"tags":{},"next_seq":1,"created_at":0}');
INSERT INTO "topics" VALUES(4,'stock','{"id":4,"topic":{"name":"stock","fifo":null},"attributes":{},"tags":{},"next_seq":1,"created_at":0}');
INSERT INTO "topics" VALUES(10,'news','{"id":10,"topic":{"name":"news","fifo":null},"owner":"000000000000","attributes":{"DisplayName":"News"},"tags":{"team":"donuts"},"next_seq":1,"created_at":1700000005000}');
INSERT INTO "topics" VALUES(11,'news.fifo','{"id":11,"topic":{"name":"news.fifo","fifo":{"content_based_deduplication":true,"deduplication_scope":"queue"}},"owner":"000000000000","attributes":{"DisplayName":"News"},"tags":{"team":"donuts"},"next_seq":2,"created_at":1700000005000}');
CREATE TABLE waiting (
    product INTEGER NOT NULL,
    place INTEGER NOT NULL,
    order_seq INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    customer TEXT NOT NULL,
    PRIMARY KEY (product, place)
) WITHOUT ROWID;
INSERT INTO "waiting" VALUES(1,5,8,3,'zoe@example.com');
CREATE INDEX attempts_received ON attempts (received_at);
CREATE INDEX message_groups_available ON message_groups (partition, available_at, grp);
CREATE INDEX messages_group ON messages (partition, grp, key) WHERE grp IS NOT NULL;
CREATE INDEX messages_visible ON messages (partition, visible_at, key, held, grp);
CREATE VIEW orders AS
SELECT log.seq AS order_seq,
       log.data ->> 'sku' AS sku,
       log.data ->> 'place' AS place,
       log.data ->> 'quantity' AS quantity,
       log.customer AS customer,
       CASE coalesce(order_changes.status, CASE log.kind WHEN 10 THEN 0 WHEN 11 THEN 1 ELSE 2 END)
           WHEN 0 THEN 'pending' WHEN 1 THEN 'accepted' WHEN 2 THEN 'sold_out'
           WHEN 3 THEN 'rejected' WHEN 4 THEN 'expired' ELSE 'cancelled' END AS status,
       log.at AS placed_at,
       coalesce(order_changes.decided_at, CASE log.kind WHEN 10 THEN NULL ELSE log.at END) AS decided_at,
       order_changes.cancelled_at AS cancelled_at
FROM log LEFT JOIN order_changes ON order_changes.order_seq = log.seq
WHERE log.kind IN (10, 11, 12) AND log.subject = log.seq;
CREATE INDEX replenishments_open ON replenishments (seq) WHERE open = 1;
CREATE INDEX replenishments_product ON replenishments (product, seq);
CREATE INDEX subscriptions_topic ON subscriptions (topic, n);
COMMIT;
