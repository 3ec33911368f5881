-- A store as version 6 wrote it, made from one of version 5, whose waiting lines it summed up.
-- Never edited: newer versions must read it.
PRAGMA user_version = 6;
BEGIN TRANSACTION;
CREATE TABLE attempts (
    queue INTEGER NOT NULL,
    id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (queue, id)
) WITHOUT ROWID;
INSERT INTO "attempts" VALUES(6,'try-1',1700000005000,'{"id":"try-1","received_at_ms":1700000005000,"messages":[{"seq":5,"receipt":257622107643922441,"visible_at_ms":1700000605000},{"seq":6,"receipt":3449780809635371076,"visible_at_ms":1700000605000}]}');
CREATE TABLE auctions (
    seq INTEGER PRIMARY KEY,
    status INTEGER NOT NULL,
    due_at INTEGER,
    state TEXT NOT NULL
);
INSERT INTO "auctions" VALUES(23,1,1700000085000,'{"auction":{"v":1,"seq":23,"secret":[120,52,241,57,10,112,226,67,253,146],"maskKey":[221,26,160,112,192,69,147,46,211,167,235,66,40,61,219,71,19,108,240,51,29,95,112,133,174,180,61,164,215,151,126,107],"seller":"seller","product":"A teapot","terms":{"format":"english","currency":"EUR","startingPrice":100,"increment":{"fixed":10},"lots":1,"reservePrice":400,"buyNowPrice":5000,"startsAt":1700000010000,"endsAt":1700000075000,"softClose":{"windowMs":10000,"extendMs":20000,"hardEnd":1700000610000},"retraction":{"withinMs":10000,"beforeEndMs":0}},"createdAt":1700000010000,"status":"open","endsAt":1700000090000,"extensions":1,"bids":4,"bidsStanding":2,"contest":{"price":610,"reserveMet":true,"standing":[{"bidder":"ada@example.com","amount":100,"maximum":900,"no":1,"bid":37},{"bidder":"bob","amount":600,"maximum":600,"no":4,"bid":51}]}},"lastSeq":52,"lastHash":[146,40,147,122,250,243,124,114,37,57,119,26,51,235,46,115,219,103,224,22,30,20,27,174,1,224,15,12,225,169,199,203],"lastBid":51,"waiting":1,"closingSoonMs":5000,"toldClosingSoon":false}');
INSERT INTO "auctions" VALUES(25,4,NULL,'{"auction":{"v":1,"seq":25,"secret":[253,50,11,248,179,187,27,254,239,189],"maskKey":[71,114,124,63,47,157,227,5,53,86,130,236,68,220,138,183,9,132,249,197,116,63,171,101,153,5,236,125,230,128,114,186],"seller":"seller","product":"A teapot","terms":{"format":"sealed-second","currency":"EUR","startingPrice":100,"increment":{"fixed":10},"lots":1,"startsAt":1700000010000,"endsAt":1700000070000,"retraction":{"withinMs":10000,"beforeEndMs":0}},"createdAt":1700000010000,"status":"unsold","endsAt":1700000070000,"extensions":0,"bids":3,"bidsStanding":3,"contest":{"price":200,"reserveMet":false,"standing":[{"bidder":"ada@example.com","amount":300,"maximum":300,"no":1,"bid":32},{"bidder":"bob","amount":200,"maximum":200,"no":2,"bid":33},{"bidder":"eve-🍩","amount":100,"maximum":100,"no":3,"bid":34}]},"closedAt":1700000070000,"awards":[{"bidder":"ada@example.com","no":1,"bid":32,"price":200,"status":"forfeited"},{"bidder":"bob","no":2,"bid":33,"price":200,"status":{"offered":{"until":1700001010000}}}]},"lastSeq":50,"lastHash":[174,119,109,94,201,35,1,251,198,27,36,234,78,48,125,116,200,74,184,229,165,209,29,97,155,33,30,194,187,54,199,90],"lastBid":34,"waiting":0,"closingSoonMs":5000,"toldClosingSoon":false}');
INSERT INTO "auctions" VALUES(27,0,1700000510000,'{"auction":{"v":1,"seq":27,"secret":[3,26,63,104,16,113,4,74,19,30],"maskKey":[56,46,113,129,184,138,148,87,211,183,83,61,14,208,89,241,123,161,157,12,112,199,251,178,235,192,173,2,32,127,85,74],"seller":"seller","product":"A teapot","terms":{"format":"english","currency":"EUR","startingPrice":100,"increment":{"bands":[{"from":0,"step":1},{"from":100,"step":5},{"from":500,"step":10},{"from":1000,"step":25},{"from":2500,"step":50},{"from":5000,"step":100},{"from":10000,"step":250},{"from":25000,"step":500},{"from":50000,"step":1000},{"from":100000,"step":2500},{"from":250000,"step":5000},{"from":500000,"step":10000},{"from":1000000,"step":25000},{"from":2500000,"step":50000},{"from":5000000,"step":100000},{"from":10000000,"step":250000},{"from":25000000,"step":500000},{"from":50000000,"step":1000000}]},"lots":3,"startsAt":1700000510000,"endsAt":1700000610000,"retraction":{"withinMs":10000,"beforeEndMs":0}},"createdAt":1700000010000,"status":"scheduled","endsAt":1700000610000,"extensions":0,"bids":0,"bidsStanding":0,"contest":{"price":100,"reserveMet":false,"standing":[]}},"lastSeq":27,"lastHash":[230,47,248,77,135,66,176,68,53,215,152,152,245,183,90,40,89,35,235,146,172,66,219,240,155,45,229,192,85,225,44,36],"lastBid":0,"waiting":0,"closingSoonMs":5000,"toldClosingSoon":false}');
INSERT INTO "auctions" VALUES(28,5,NULL,'{"auction":{"v":1,"seq":28,"secret":[27,48,142,177,239,58,3,4,23,142],"maskKey":[203,12,37,211,82,180,67,22,123,216,20,196,251,101,153,80,157,254,21,43,18,92,47,109,138,247,106,64,34,119,193,230],"seller":"seller","product":"A teapot","terms":{"format":"english","currency":"EUR","startingPrice":100,"increment":{"fixed":10},"lots":1,"startsAt":1700000010000,"endsAt":1700000070000,"retraction":{"withinMs":10000,"beforeEndMs":0}},"createdAt":1700000010000,"status":"cancelled","endsAt":1700000070000,"extensions":0,"bids":1,"bidsStanding":1,"contest":{"price":100,"reserveMet":false,"standing":[{"bidder":"ada@example.com","amount":100,"maximum":100,"no":1,"bid":35}]},"closedAt":1700000010000},"lastSeq":36,"lastHash":[245,57,36,4,55,130,230,86,111,13,85,46,163,182,84,239,236,190,86,222,45,40,3,107,136,138,30,132,99,45,163,143],"lastBid":35,"waiting":0,"closingSoonMs":5000,"toldClosingSoon":false}');
INSERT INTO "auctions" VALUES(30,2,NULL,'{"auction":{"v":1,"seq":30,"secret":[4,11,190,54,142,219,108,13,157,147],"maskKey":[80,206,38,99,21,104,15,232,9,96,111,208,8,232,7,211,172,144,110,216,143,54,205,3,90,161,252,228,106,102,224,39],"seller":"seller","product":"A teapot","terms":{"format":{"dutch":{"step":10,"everyMs":1000,"floor":40}},"currency":"EUR","startingPrice":100,"increment":{"fixed":10},"lots":1,"startsAt":1700000010000,"endsAt":1700000070000},"createdAt":1700000010000,"status":"closed","endsAt":1700000070000,"extensions":0,"bids":1,"bidsStanding":1,"contest":{"price":50,"reserveMet":false,"standing":[{"bidder":"bob","amount":70,"maximum":70,"no":1,"bid":46}]},"closedAt":1700000015000,"awards":[{"bidder":"bob","no":1,"bid":46,"price":50,"status":"won"}]},"lastSeq":47,"lastHash":[66,200,147,102,14,225,25,35,227,202,32,28,179,245,134,19,151,57,246,193,54,121,158,87,218,40,97,26,81,40,200,119],"lastBid":46,"waiting":0,"closingSoonMs":5000,"toldClosingSoon":false}');
CREATE TABLE bid_changes (
    bid INTEGER PRIMARY KEY,
    verdict INTEGER NOT NULL,
    retracted_at INTEGER,
    last_seq INTEGER NOT NULL
);
INSERT INTO "bid_changes" VALUES(39,39,1700000011000,44);
INSERT INTO "bid_changes" VALUES(40,41,1700000011000,45);
INSERT INTO "bid_changes" VALUES(42,43,NULL,43);
CREATE TABLE bids_waiting (
    auction INTEGER NOT NULL,
    bid INTEGER NOT NULL,
    PRIMARY KEY (auction, bid)
) WITHOUT ROWID;
INSERT INTO "bids_waiting" VALUES(23,52);
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
INSERT INTO "duplicates" VALUES(11,1700000070000,X'1313E0A8C2BC87334186ED28D301E607','39bc8d34-e054-425a-b948-7109211291ad',3);
CREATE TABLE holder_pages (
    block INTEGER NOT NULL,
    first_customer INTEGER NOT NULL,
    page INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (block, first_customer, page)
);
INSERT INTO "holder_pages" VALUES(7,-3313079252529226457,0,X'275D4728F993055205000000000000007D0FD254CC7B375406000000000000007D0FD254CC7B37540700000000000000262F3586FE48CCAD0300000000000000');
INSERT INTO "holder_pages" VALUES(11,-8334949711080807226,0,X'C6A448F2654F540C0800000000000000C6A448F2654F540C0A00000000000000');
CREATE TABLE key_pages (
    block INTEGER NOT NULL,
    first_key INTEGER NOT NULL,
    page INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (block, first_key, page)
);
INSERT INTO "key_pages" VALUES(7,-7346195619895450506,0,X'76E4996901120D1A03000000000000006B3B610F98336384070000000000000063931AAD3E00D5E306000000000000002FCF85C8B3C721EA0500000000000000');
INSERT INTO "key_pages" VALUES(11,-688868608394849895,0,X'9911B583A6A57076080000000000000044E2B819700E89B70A00000000000000');
CREATE TABLE line_sums (
    product INTEGER NOT NULL,
    stretch INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    units INTEGER NOT NULL,
    PRIMARY KEY (product, stretch)
) WITHOUT ROWID;
INSERT INTO "line_sums" VALUES(1,0,1,3);
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
, sealed TEXT);
INSERT INTO "log" VALUES(1,1,0,1,1700000000000,0,'{"sku":"CP-502101","quantity":4,"unitPrice":450,"currency":"EUR","stock":[4,0,0,0,0,0]}',X'7D41D91154D0771304636A9FE5031D815AB5B3659D7830530C8508051077514B',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(2,2,0,1,1700000000000,0,'{"sku":"plain","quantity":2,"unitPrice":450,"currency":"EUR","stock":[2,0,0,0,0,0]}',X'94C94E772B3D7C421ACC1508B495BD8F27470CF47B7368582F06E5422C633D00',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(3,1,1,11,1700000000000,3,'{"sku":"CP-502101","place":1,"quantity":2,"unitPrice":450,"currency":"EUR","buyer":"b86ebec666f11b4d2ff0efe97aeb3380","stock":[4,0,2,0,0,1]}',X'3B0A83FCDB0B0DA066A5F2100043AAA238B1C4017EDA904DB30F75F10E6879F2','Ada@Example.com',X'7834F1390A70E243FD92',X'1A0D12016999E47689DAE5744D2B8C19',-2,NULL);
INSERT INTO "log" VALUES(4,1,3,30,1700000000000,4,'{"sku":"CP-502101","quantity":10,"stock":[4,0,2,0,0,1],"replenishment":"rep_0000000004vmda0w608p9jxmx7","factory":"FF-500293","status":"requested"}',X'3A90D07CD8744870A9D101441FC94C94AB051264DAB067673C8EC564B687C327',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(5,1,4,11,1700000000000,5,'{"sku":"CP-502101","place":2,"quantity":2,"unitPrice":450,"currency":"EUR","buyer":"85a41dc9ac9116673e186955d1c9a8d6","stock":[4,0,4,0,0,2]}',X'C654747C5F809B53CE300F4AF0D26C603A2E7FD06D568E6203F9DE1A0216AA15','bob@example.com',X'FD320BF8B3BB1BFEEFBD',X'EA21C7B3C885CF2FB547BB51016C8BBB',-3,NULL);
INSERT INTO "log" VALUES(6,1,5,10,1700000001000,6,'{"sku":"CP-502101","place":3,"quantity":1,"unitPrice":450,"currency":"EUR","buyer":"6663b7bce26372a11c4070055cc3594c","stock":[4,0,4,1,1,3]}',X'208B76121B00A955376C7DF1B12E8BA40BEFAB03C0C54CE3716D40BA81C982FE','eve@example.com',X'031A3F681071044A131E',X'E3D5003EAD1A936380020220637F7B8E',-4,NULL);
INSERT INTO "log" VALUES(7,1,6,10,1700000001000,7,'{"sku":"CP-502101","place":4,"quantity":2,"unitPrice":450,"currency":"EUR","buyer":"ac6d8339d1b32670bfc4487e5ce214ed","stock":[4,0,4,2,3,4]}',X'0F19F69A317A0DD2C731083EA2B02A2DD55A353000DC1831FF517C66AE706799','eve@example.com',X'1B308EB1EF3A0304178E',X'846333980F613B6BFFC8021457063C93',-5,NULL);
INSERT INTO "log" VALUES(8,1,7,10,1700000001000,8,'{"sku":"CP-502101","place":5,"quantity":3,"unitPrice":450,"currency":"EUR","buyer":"10ba22e3dd3f63cbea8ccbee49e300b8","stock":[4,0,4,3,6,5]}',X'7844A77063FD299FA1B209F8311355A01B87FA14A8F9CB9D0B5033192AB32D62','zoe@example.com',X'040BBE368EDB6C0D9D93',X'7670A5A683B5119971841294A5291A33',-6,NULL);
INSERT INTO "log" VALUES(9,2,2,11,1700000001000,9,'{"sku":"plain","place":1,"quantity":1,"unitPrice":450,"currency":"EUR","buyer":"8ff3b38d08eb7d7e04cf1aa5ba7d9ace","stock":[2,0,1,0,0,1]}',X'04BF2BB2B6B3F3B0664560D6281138BFE8264C417C3D56B73586C303DB3FCE01','ada@example.com',X'E374E50C00C6E455A6DD',NULL,1,NULL);
INSERT INTO "log" VALUES(10,2,9,12,1700000001000,10,'{"sku":"plain","place":2,"quantity":2,"unitPrice":450,"currency":"EUR","buyer":"77a1905faa326f1a68a95957885f765a","stock":[2,0,1,0,0,2]}',X'5644C36E3E487CFE7B0643E69371E0E1E4C91A3DADB333636F74C2E974F9E9A8','zoe@example.com',X'BCE20C8A42614CAA4158',X'B7890E7019B8E244E32F4D84A995C0F0',-7,NULL);
INSERT INTO "log" VALUES(11,1,8,13,1700000002000,6,'{"sku":"CP-502101","place":3,"quantity":1,"stock":[4,0,4,2,5,5],"was":"pending"}',X'2F0F62F7827AE5C0CC9E0A88B2FEFE3E7A3ABA7A0058779FF5A72CEB54A0FF7B','eve@example.com',NULL,NULL,0,NULL);
INSERT INTO "log" VALUES(12,1,11,13,1700000002000,3,'{"sku":"CP-502101","place":1,"quantity":2,"stock":[4,0,2,2,5,5],"was":"accepted"}',X'C83979227806CA9CD304483382161D765EAAD1C84352230B9B1382B5283635B3','Ada@Example.com',NULL,NULL,0,NULL);
INSERT INTO "log" VALUES(13,1,12,11,1700000002000,7,'{"sku":"CP-502101","place":4,"quantity":2,"stock":[4,0,4,1,3,5]}',X'E3C6288429120A4A079C5FB214C9A280B455546CDC3016B8A58EF3FFF448B715','eve@example.com',NULL,NULL,0,NULL);
INSERT INTO "log" VALUES(14,2,10,20,1700000002000,0,'{"sku":"plain","quantity":5,"stock":[7,0,1,0,0,2],"reference":"delivery \"1\" 🍩"}',X'37ECDFB07DA671D42404CEAB22BCB2EB66425058AEF5A6E9F04EE4E0E59A4EF0',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(15,1,13,31,1700000002000,4,'{"sku":"CP-502101","quantity":10,"stock":[4,0,4,1,3,5],"replenishment":"rep_0000000004vmda0w608p9jxmx7","factory":"FF-500293","status":"in_production"}',X'67C74DF6E43C2AAF23C75CC92E2B2C100BEC4EC6816F5992F607208575772B5C',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(16,1,15,33,1700000002000,4,'{"sku":"CP-502101","quantity":10,"stock":[4,0,4,1,3,5],"replenishment":"rep_0000000004vmda0w608p9jxmx7","factory":"FF-500293","status":"failed","reason":"overdue"}',X'27EA435AA34853552760E156AB34BDB9406259BA87ABF8577BFABEEF003F10C3',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(17,1,16,30,1700000003000,17,'{"sku":"CP-502101","quantity":10,"stock":[4,0,4,1,3,5],"replenishment":"rep_000000000h14gcb98ay2v0wzvw","factory":"FF-500293","status":"requested"}',X'887B1397332ABFE4B768F1D08506BD979D161689D2A0084CAE513038D80484CC',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(18,0,0,40,1700000003000,0,'{"reason":"received 1 times and not deleted","queue":"orders","deadLetterQueue":"orders-dead","messageId":"2b3c5089-0bfd-46f2-97d1-585be4c6883d","receiveCount":1}',X'3D5605050C0CB5F025E6995E1FA41D2D77F101040D9BFA1AC22CDEE416EB8E17',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(19,0,18,40,1700000004000,0,'{"reason":"received 1 times and not deleted","queue":"jobs.fifo","deadLetterQueue":"jobs-dead.fifo","messageId":"dda90b38-662a-4d7c-b64f-6b6723382a8f","receiveCount":1}',X'3F6C9AF5AE6DBBD0D33E5E043E03E04E5E0B7887331AF75517BB0BC9CF0EB8D4',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(20,0,19,40,1700000004000,0,'{"reason":"received 1 times and not deleted","queue":"jobs.fifo","deadLetterQueue":"jobs-dead.fifo","messageId":"7e85eecd-068c-423f-9fdd-d5d27fdd8d65","receiveCount":1}',X'AE87B9DF84BF3D44AF3546B8C1FA5FFF303E28D640085EB5890BF5B45F2567A2',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(21,0,20,40,1700000004000,0,'{"reason":"received 1 times and not deleted","queue":"jobs.fifo","deadLetterQueue":"jobs-dead.fifo","messageId":"add98c53-a265-41c5-9d35-ae328a2bedab","receiveCount":1}',X'AF4B03E044837D37A11060D48B382744EE56A3413B3F4C3F5DB21973BA43A514',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(22,0,21,40,1700000004000,0,'{"reason":"received 1 times and not deleted","queue":"jobs.fifo","deadLetterQueue":"jobs-dead.fifo","messageId":"7092a9b9-6e2e-4925-890f-d85087f559d2","receiveCount":1}',X'321115B3B8573DC14F60DAF31F2FBAF16F30B97EE371C707AF78FFC2E439977C',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(23,-23,0,50,1700000010000,23,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","product":"A teapot","seller":"bidder-2c33e686768c","terms":{"format":"english","currency":"EUR","startingPrice":100,"increment":{"fixed":10},"lots":1,"buyNowPrice":5000,"startsAt":1700000010000,"endsAt":1700000075000,"softClose":{"windowMs":10000,"extendMs":20000,"hardEnd":1700000610000},"retraction":{"withinMs":10000,"beforeEndMs":0}},"seal":"5550f715da42182bb975c5de41d4a9597d8c9ccd7e841adb4600d4b7a0f99309"}',X'0808D1E0A57DF4B4C56ADDB762DCBDE134F3DB755EABDDDB2312DF3C103CB3CE',NULL,NULL,NULL,NULL,'{"reservePrice":400,"nonce":"7c75dd0640741b114afb46adbb899674"}');
INSERT INTO "log" VALUES(24,-23,23,51,1700000010000,23,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj"}',X'CD3BF97704D592FA2EBBF51EF4543A7AE945F3B86DA97FF78333917BD6445AEC',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(25,-25,0,50,1700000010000,25,'{"auction":"auc_000000000szms0qy5kqcdzxvxx","product":"A teapot","seller":"bidder-6fc5583ec2a9","terms":{"format":"sealed-second","currency":"EUR","startingPrice":100,"increment":{"fixed":10},"lots":1,"startsAt":1700000010000,"endsAt":1700000070000,"retraction":{"withinMs":10000,"beforeEndMs":0}},"seal":"ab25371e80d06b92f760555513e5e8e1f5c78eb4ff3ffdd998bbc48afcebe99f"}',X'B1F4A9769FE95E9F33ADBACEFBD898AF51FEF05CFCFC54BEC50D50D5A6C2C1B3',NULL,NULL,NULL,NULL,'{"nonce":"369fe504de9fc1814156d9ae2275c8c8"}');
INSERT INTO "log" VALUES(26,-25,25,51,1700000010000,25,'{"auction":"auc_000000000szms0qy5kqcdzxvxx"}',X'03B4AC7AC3377C451F30812199021B0E7447FF539405F114C8C3D266E8AD7237',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(27,-27,0,50,1700000010000,27,'{"auction":"auc_000000000v0cd3yt0ge424m4ry","product":"A teapot","seller":"bidder-13e0805d7d1b","terms":{"format":"english","currency":"EUR","startingPrice":100,"increment":{"bands":[{"from":0,"step":1},{"from":100,"step":5},{"from":500,"step":10},{"from":1000,"step":25},{"from":2500,"step":50},{"from":5000,"step":100},{"from":10000,"step":250},{"from":25000,"step":500},{"from":50000,"step":1000},{"from":100000,"step":2500},{"from":250000,"step":5000},{"from":500000,"step":10000},{"from":1000000,"step":25000},{"from":2500000,"step":50000},{"from":5000000,"step":100000},{"from":10000000,"step":250000},{"from":25000000,"step":500000},{"from":50000000,"step":1000000}]},"lots":3,"startsAt":1700000510000,"endsAt":1700000610000,"retraction":{"withinMs":10000,"beforeEndMs":0}},"seal":"8a2b27bb00c84ee8f3dcea15641df668f8520b673cf8a2bc55836097545bee44"}',X'E62FF84D8742B04435D79898F5B75A285923EB92AC42DBF09B2DE5C055E12C24',NULL,NULL,NULL,NULL,'{"nonce":"190ec7102100680841567a9775b4ee96"}');
INSERT INTO "log" VALUES(28,-28,0,50,1700000010000,28,'{"auction":"auc_000000000w3cr8xcff781g85we","product":"A teapot","seller":"bidder-9ea3904ea6bc","terms":{"format":"english","currency":"EUR","startingPrice":100,"increment":{"fixed":10},"lots":1,"startsAt":1700000010000,"endsAt":1700000070000,"retraction":{"withinMs":10000,"beforeEndMs":0}},"seal":"3d7058bfaf029e4d3a222a4542d993d55f41e3d3a9088119799e7d41357686e3"}',X'8E8C33CC0F078EF77FEFB7076FA5D2B01BAA48D446616409CA45B8D257C10599',NULL,NULL,NULL,NULL,'{"nonce":"4a65281ae7504625ed271325d66d7918"}');
INSERT INTO "log" VALUES(29,-28,28,51,1700000010000,28,'{"auction":"auc_000000000w3cr8xcff781g85we"}',X'2181C00764526F6F4BD123DCBA8999A8E8F78453A40051D0A47545935FDE5D61',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(30,-30,0,50,1700000010000,30,'{"auction":"auc_000000000y0g5vwdmevdp0v7ck","product":"A teapot","seller":"bidder-5b84f7a03d3d","terms":{"format":{"dutch":{"step":10,"everyMs":1000,"floor":40}},"currency":"EUR","startingPrice":100,"increment":{"fixed":10},"lots":1,"startsAt":1700000010000,"endsAt":1700000070000},"seal":"753d1b55671bffca5c6372730a06a42ce0ecaf98775d1165472d2999a4d82130"}',X'BB15B50BF040613DD8C276128D46FAE5A596F27C1384E65858DF6C5F065A1568',NULL,NULL,NULL,NULL,'{"nonce":"a791d4963516b4e0bf3a18d572771290"}');
INSERT INTO "log" VALUES(31,-30,30,51,1700000010000,30,'{"auction":"auc_000000000y0g5vwdmevdp0v7ck"}',X'7E12C5E5D2055CD4202B32ED3ADE68576DBE9D46EB74AB9EAF130574509F840D',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(32,-25,26,61,1700000010000,32,'{"auction":"auc_000000000szms0qy5kqcdzxvxx","no":1,"bidder":"bidder-bed0eda77b79","endsAt":1700000070000,"bids":1,"seal":"3389736e724164cf1b7fe236d9caaa76831927867c58faac1e14867b5501831f"}',X'5EACD5AD3EC69A8ED91EE308B01D01B7FEE62CC4647D16D467D7E86F20AA89BD','ada@example.com',X'E374E50C00C6E455A6DD',NULL,1,'{"no":1,"bidder":"bidder-bed0eda77b79","amount":300,"maximum":300,"admittedAt":1700000010000,"nonce":"2d339adf7214073191334c1fbbd4d078"}');
INSERT INTO "log" VALUES(33,-25,32,61,1700000010000,33,'{"auction":"auc_000000000szms0qy5kqcdzxvxx","no":2,"bidder":"bidder-b9a74ebc45de","endsAt":1700000070000,"bids":2,"prevBid":32,"seal":"a44218e15665d15c34171daa2a7c3873f892d73d19c090d1ab23c5643d0b518c"}',X'D9A437972F0A754CBD652F574719D675E2D9456386D8571F93A5048557E15C78','bob',X'BCE20C8A42614CAA4158',NULL,1,'{"no":2,"bidder":"bidder-b9a74ebc45de","amount":200,"maximum":200,"admittedAt":1700000010000,"nonce":"00a574a5a3d89f3d59dbfb817e77da2f"}');
INSERT INTO "log" VALUES(34,-25,33,61,1700000010000,34,'{"auction":"auc_000000000szms0qy5kqcdzxvxx","no":3,"bidder":"bidder-a47dc6024ea8","endsAt":1700000070000,"bids":3,"prevBid":33,"seal":"493aa73580894ad9f5331e406962aed15f0c04f0779334d3c5985581bf85ed7b"}',X'235BE57C383D59B045764487D4D5DBEF6C50ECFED04B544FC7364651D426A562','eve-🍩',X'220C74EE111B356DFB96',NULL,1,'{"no":3,"bidder":"bidder-a47dc6024ea8","amount":100,"maximum":100,"admittedAt":1700000010000,"nonce":"fd79a7be156cf366e434a8333cb5b957"}');
INSERT INTO "log" VALUES(35,-28,29,61,1700000010000,35,'{"auction":"auc_000000000w3cr8xcff781g85we","no":1,"bidder":"bidder-3ac607969040","amount":100,"price":100,"leading":true,"endsAt":1700000070000,"bids":1,"seal":"bcf3031617a6203a0e30dcfe067916e038209b64d8497f4767cdeb7645cd46af"}',X'47A6835129E6976B3F6AFEDC62B97C8F5A8F93FCD0BC761EA39CEDB5609431F1','ada@example.com',X'8D6FE69791846579FD19',NULL,1,'{"no":1,"bidder":"bidder-3ac607969040","amount":100,"maximum":100,"admittedAt":1700000010000,"nonce":"b915082cc3a82f17ec24fc6d6a6a4ad9"}');
INSERT INTO "log" VALUES(36,-28,35,54,1700000010000,28,'{"auction":"auc_000000000w3cr8xcff781g85we"}',X'F53924043782E6566F0D552EA3B654EFECBE56DE2D28036B888A1E84632DA38F',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(37,-23,24,61,1700000010000,37,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","no":1,"bidder":"bidder-1f2fd0e6a8bc","amount":100,"price":400,"leading":true,"endsAt":1700000075000,"reserveMet":true,"bids":1,"seal":"56d946b9410b8f1bddfccfdb7d1f34602da2479ada2e2bd866a51306737f7ec6"}',X'34EC7B3BEA2A89C8FB2BFE5C99A2E21A898332574A31A06D0F24AFF399AC6E25','ada@example.com',X'3DF28F1863F9FEEFF2D5',X'1CFA55611130825753691101356E929B',201,'{"no":1,"bidder":"bidder-1f2fd0e6a8bc","amount":100,"maximum":900,"admittedAt":1700000010000,"nonce":"d2e73b9c790bc1c883ec0bd8a4d76e06"}');
INSERT INTO "log" VALUES(38,-23,37,62,1700000010000,38,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","bidder":"bidder-0a033647dcd4","amount":105,"price":400,"endsAt":1700000075000,"reason":"too_low","least":410,"seal":"8abeafd9ca884451c94fb65cc570ca4a6e385358cf41a6534af8b3f6115197fa"}',X'0A9072869E71A70B837437D4DD3639E8F59A98BD0FCBDEA943B5FE5A2B6A8F96','bob',X'011EB15A64767A503389',X'9588F44558A1D56EA2BFDC1E86DFEC0D',202,'{"bidder":"bidder-0a033647dcd4","amount":105,"maximum":105,"admittedAt":1700000010000,"nonce":"4c37b1a9ecce8153d7bdd3851cf132d1"}');
INSERT INTO "log" VALUES(39,-23,38,61,1700000010000,39,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","no":2,"bidder":"bidder-0a033647dcd4","amount":450,"price":460,"leading":false,"endsAt":1700000075000,"bids":2,"prevBid":37,"seal":"35e2271b722d76ef389823c2d6a4a2764757c1d4d5fdd5822e49bc8714c42b0d"}',X'E048F1F8AB7563932A5DABE99EC94CDF6B160DB95676B140512DAE512943B88C','bob',X'0920C5A50AF0B60E7F7C',NULL,1,'{"no":2,"bidder":"bidder-0a033647dcd4","amount":450,"maximum":450,"admittedAt":1700000010000,"nonce":"49ee31b784ffb954daad3caaf802d1af"}');
INSERT INTO "log" VALUES(40,-23,39,60,1700000011000,40,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","seal":"784c3077d3d42262b8bf18a099d7cd7b282f1ed324ce3ab35329deb0cef09ce9"}',X'7419D7D2C5D933F8F1B44DE74AE8CD64FFEB8CE0CC571CA46A1844E8A7E67B7C','eve-🍩',X'3B790BE2A73306CE7D78',X'49A3B49FDC01D78E577772934D21868F',203,'{"bidder":"bidder-d7414c3b180d","amount":500,"maximum":500,"nonce":"c4872f3362932ede1185b2c9d4c85f76"}');
INSERT INTO "log" VALUES(41,-23,40,61,1700000011000,40,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","no":3,"bidder":"bidder-d7414c3b180d","amount":500,"price":510,"leading":false,"endsAt":1700000075000,"bids":3,"placed":40,"prevBid":39,"seal":"72145a10ab7b9be3ce7c59305d0566ac2f4316c986dbf441639592a4eac1d508"}',X'F3A732FC3B369A144AEA09B78FD21ABE1A77EB7255C930A0A30279E0122B30B0','eve-🍩',NULL,NULL,0,'{"no":3,"bidder":"bidder-d7414c3b180d","amount":500,"maximum":500,"admittedAt":1700000011000,"nonce":"2a98a2062d27a1dc3df326aa359aad8a"}');
INSERT INTO "log" VALUES(42,-23,41,60,1700000011000,42,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","seal":"bc60bcd15b01ec1533a96c514e9ff54c903de5b4c655891ce49380140132f351"}',X'7FB9427122007CEA051477C4A21103A69AD4C7BA168A8FDC4CE01A43AA158D72','zoe',X'A84F2CC8AAD12EFFBC93',NULL,1,'{"bidder":"bidder-383b9b747940","amount":1,"maximum":1,"nonce":"bb89fb59b97e03384801c76839ada6c4"}');
INSERT INTO "log" VALUES(43,-23,42,62,1700000011000,42,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","bidder":"bidder-383b9b747940","amount":1,"price":510,"endsAt":1700000075000,"reason":"too_low","least":520,"placed":42,"seal":"07ddbc93157d168f23fb6555ae0a9f8aa1cb4337200ad1f6e18c7f587ee751f4"}',X'618F4E26FDEED069C08448B9DD97C5FF797DD34B992691CC6ED9155A3AA2EF61','zoe',NULL,NULL,0,'{"bidder":"bidder-383b9b747940","amount":1,"maximum":1,"admittedAt":1700000011000,"nonce":"6d5faf309e44af46fb2b807f2e31bcc9"}');
INSERT INTO "log" VALUES(44,-23,43,63,1700000011000,39,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","no":2,"bidder":"bidder-0a033647dcd4","price":510,"endsAt":1700000075000,"reserveMet":true,"bids":2}',X'B9773895EFA66460A92716CF024F3EE5307925D9EEAEAADF7185E04C72144682',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(45,-23,44,63,1700000011000,40,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","no":3,"bidder":"bidder-d7414c3b180d","price":400,"endsAt":1700000075000,"reserveMet":true,"bids":1}',X'D2D9871CEC3FDE231A7937B104610FA0AB7A12433F8C65B64E1815274EC9B030',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(46,-30,31,61,1700000015000,46,'{"auction":"auc_000000000y0g5vwdmevdp0v7ck","no":1,"bidder":"bidder-a2904f24328b","amount":70,"price":50,"leading":true,"endsAt":1700000070000,"bids":1,"seal":"240281dc96e0c32b32b58949408632ea0da749c4b40c97f499ea177fe1c7e7d8"}',X'1D8CC5C384DC272AB37C2A72807C2836B279FFE7C8F2A2CBD0E128463CA095DE','bob',X'E7CE3EB23339142C1ACC',NULL,1,'{"no":1,"bidder":"bidder-a2904f24328b","amount":70,"maximum":70,"admittedAt":1700000015000,"nonce":"a13ff258dffe4b22bcb961c9b8b79fc3"}');
INSERT INTO "log" VALUES(47,-30,46,53,1700000015000,30,'{"auction":"auc_000000000y0g5vwdmevdp0v7ck","price":50,"endsAt":1700000070000,"bids":1,"status":"closed","reason":"taken","winners":[{"bidder":"bidder-a2904f24328b","no":1,"price":50}]}',X'42C893660EE11923E3CA201CB3F586139739F6C136799E57DA28611A5128C877',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(48,-25,34,53,1700000070000,25,'{"auction":"auc_000000000szms0qy5kqcdzxvxx","price":200,"endsAt":1700000070000,"bids":3,"status":"closed","reason":"end_time","winners":[{"bidder":"bidder-bed0eda77b79","no":1,"price":200}]}',X'9B6D6190F7A2A6050396C496DE37FA8A406F7C6A7125F281276CA268DD37201F',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(49,-25,48,56,1700000070000,25,'{"auction":"auc_000000000szms0qy5kqcdzxvxx","bidder":"bidder-bed0eda77b79","status":"unsold"}',X'2A823E6719DFA451B6DEEB4EAD7BF800455BDAA192F15409476F03BFEA863383',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(50,-25,49,57,1700000070000,25,'{"auction":"auc_000000000szms0qy5kqcdzxvxx","bidder":"bidder-b9a74ebc45de","price":200,"status":"unsold","until":1700001010000}',X'AE776D5EC92301FBC61B24EA4E307D74C84AB8E5A5D11D619B211EC2BB36C75A',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(51,-23,45,61,1700000070000,51,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","no":4,"bidder":"bidder-0a033647dcd4","amount":600,"price":610,"leading":false,"endsAt":1700000090000,"extended":true,"bids":2,"prevBid":41,"seal":"a6c10c29136ef71d091ad72e7855af9b24a546480304430aeb6bbed25c8b1c63"}',X'0A64727F229A039FB7DCA34787EED7EB404390674B60CC21467C78DA8CCE0541','bob',X'55A19A42E8AA2A13E70E',X'80927F8D3142F0F136A877F0743623DC',204,'{"no":4,"bidder":"bidder-0a033647dcd4","amount":600,"maximum":600,"admittedAt":1700000070000,"nonce":"118e29ec0055d0d34ab40e17123f039d"}');
INSERT INTO "log" VALUES(52,-23,51,60,1700000070000,52,'{"auction":"auc_000000000qf0tf2e8ae3h47zcj","seal":"af32b25e700f4ab946886ea60fddc4339c6bea30d71838520f27e18629ea736d"}',X'9228937AFAF37C722539771A33EB2E73DB67E0161E141BAE01E00F0CE1A9C7CB','zoe',X'5ED749578E586EFB7623',X'1160C96E7275DA00EB1324970F76FB9B',205,'{"bidder":"bidder-383b9b747940","amount":700,"maximum":700,"nonce":"eef3719f33519ebfaba704d62c02a865"}');
INSERT INTO "log" VALUES(53,0,22,70,1700000200000,3,'{"sku":"CP-502101","reference":"trk_1","status":"created"}',X'B021257179A08AF294B7A95E24806CEEF8739DE17742D42382B00E39850279F0',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(54,0,53,71,1700000200000,3,'{"sku":"CP-502101","reference":"trk_1","status":"returned"}',X'CF9FBE34E4A36DFCF55BEE6971BB3167DB963BA1B4715B4017C192B05A6A1860',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(55,0,54,70,1700000200000,5,'{"sku":"CP-502101","reference":"trk_1","status":"created"}',X'397499B116ABC9382713DD809D92E6E653AE10DEB9F37F017F4C3E43A3B44A09',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "log" VALUES(56,0,55,71,1700000200000,5,'{"sku":"CP-502101","reference":"trk_1","status":"in_transit"}',X'59383C10A8CA8D155274AE6CBD675309848B804638F81232A8102179EFD202D4',NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "message_groups" VALUES(13,'auc_000000000qf0tf2e8ae3h47zcj',1700000016000);
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
INSERT INTO "messages" VALUES(14293651161090,13,1700000016000,1,1,1700000011000,1700000011000,4434012517233643991,1700000011000,'auc_000000000qf0tf2e8ae3h47zcj','3a4376f8-3a94-45cb-8657-dd8486d7014a','{"bid":"bid_000000001an17jsj5at4qfzf4k","auctionId":"auc_000000000qf0tf2e8ae3h47zcj"}','{"deduplication":"bid_000000001an17jsj5at4qfzf4k"}');
INSERT INTO "messages" VALUES(14293651161091,13,1700000070000,0,0,NULL,NULL,NULL,1700000070000,'auc_000000000qf0tf2e8ae3h47zcj','39bc8d34-e054-425a-b948-7109211291ad','{"offer":"letter-1"}','{"deduplication":"letter-1"}');
INSERT INTO "messages" VALUES(14293651161092,13,1700000070000,0,0,NULL,NULL,NULL,1700000070000,'auc_000000000qf0tf2e8ae3h47zcj','f526a939-df80-4844-913a-fe19646b4302','{"bid":"bid_000000001mbvbmjnweb1qfpxh3","auctionId":"auc_000000000qf0tf2e8ae3h47zcj"}','{"deduplication":"bid_000000001mbvbmjnweb1qfpxh3"}');
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('next_queue',14);
INSERT INTO "meta" VALUES('probe',1700000003000);
INSERT INTO "meta" VALUES('relay_cursor',5);
INSERT INTO "meta" VALUES('system_seq',56);
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
INSERT INTO "queues" VALUES(12,'bids-dlq.fifo',12,1,0,1700000010000,1700000010000,NULL,'{"visibility_timeout_s":30,"delay_s":0,"retention_s":345600,"message_bytes_max":1048576,"receive_wait_s":0,"redrive":null,"fifo":{"content_based_deduplication":false,"deduplication_scope":"queue","throughput_limit":"per_queue"}}','{}','[]');
INSERT INTO "queues" VALUES(13,'bids.fifo',13,5,3,1700000010000,1700000010000,NULL,'{"visibility_timeout_s":30,"delay_s":0,"retention_s":345600,"message_bytes_max":1048576,"receive_wait_s":0,"redrive":{"dead_letter_queue":"bids-dlq.fifo","max_receive_count":100},"fifo":{"content_based_deduplication":false,"deduplication_scope":"queue","throughput_limit":"per_queue"}}','{}','[]');
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
CREATE INDEX auctions_due ON auctions (due_at, seq) WHERE due_at IS NOT NULL;
CREATE INDEX auctions_status ON auctions (status, seq);
CREATE VIEW bids AS
SELECT log.seq AS bid_seq,
       -log.line AS auction_seq,
       verdict.data ->> 'no' AS no,
       log.customer AS bidder,
       log.sealed ->> 'amount' AS amount,
       log.sealed ->> 'maximum' AS maximum,
       CASE WHEN bid_changes.retracted_at IS NOT NULL THEN 'retracted'
            WHEN verdict.kind = 61 THEN 'accepted'
            WHEN verdict.kind = 62 THEN 'refused' ELSE 'pending' END AS status,
       verdict.data ->> 'reason' AS reason,
       coalesce(log.sealed ->> 'admittedAt', log.at) AS admitted_at,
       CASE verdict.kind WHEN 60 THEN NULL ELSE verdict.at END AS decided_at,
       bid_changes.retracted_at AS retracted_at
FROM log LEFT JOIN bid_changes ON bid_changes.bid = log.seq
     JOIN log AS verdict ON verdict.seq = coalesce(bid_changes.verdict, log.seq)
WHERE log.kind IN (60, 61, 62) AND log.subject = log.seq;
COMMIT;
