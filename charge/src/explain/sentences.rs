//! Every sentence of the explanations, one row each: key, English, Urdu, Chinese. Variables stand in braces.

use crate::catalog::Language;

/// A sentence: key, English, Urdu, Chinese.
type Row = (&'static str, [&'static str; 3]);

/// The sentence of a key in a language; the key itself when there is none, which a test prevents.
pub(super) fn sentence(key: &'static str, language: Language) -> &'static str {
    let row = SENTENCES.iter().find(|(name, _)| *name == key);
    row.map_or(key, |(_, texts)| texts[language as usize])
}

/// The table.
#[rustfmt::skip]
pub(super) const SENTENCES: &[Row] = &[
    // Titles, one for each kind of event.
    ("title.data", ["Mobile data", "موبائل ڈیٹا", "移动数据"]),
    ("title.voice", ["Call", "کال", "通话"]),
    ("title.sms", ["Messages", "پیغامات", "短信"]),
    ("title.refund", ["Money given back", "رقم کی واپسی", "退款"]),
    ("title.closed", ["Session closed", "سیشن بند ہوا", "会话已关闭"]),
    ("title.recharge", ["Recharge", "ریچارج", "充值"]),
    ("title.bundle", ["Bundle {offer}", "بنڈل {offer}", "套餐 {offer}"]),
    ("title.renewed", ["Bundle {offer} renewed", "بنڈل {offer} کی تجدید", "套餐 {offer} 已续订"]),
    ("title.renewal", ["Renewal of {offer}", "{offer} کی تجدید", "{offer} 的自动续订"]),
    ("title.expired", ["Expired", "میعاد ختم", "已过期"]),
    ("title.state", ["Account status", "اکاؤنٹ کی حیثیت", "账户状态"]),
    ("title.opened", ["Welcome", "خوش آمدید", "欢迎"]),
    ("title.settings", ["Settings", "ترتیبات", "设置"]),
    ("title.number", ["Number", "نمبر", "号码"]),
    ("title.partner", ["Partner", "شراکت دار", "合作伙伴"]),
    ("title.float", ["Float", "فلوٹ", "备付金"]),
    ("title.catalog", ["Prices", "نرخ", "资费"]),
    ("title.payment", ["Payment", "ادائیگی", "付款"]),
    ("title.cards", ["Scratch cards", "سکریچ کارڈ", "刮刮卡"]),
    ("title.taken-back", ["Refund of a recharge", "ریچارج کی واپسی", "充值退款"]),
    ("title.gift", ["Gift", "تحفہ", "赠送"]),
    ("title.budget", ["Promotion budget", "پروموشن بجٹ", "促销预算"]),
    ("title.auto", ["Auto-recharge", "خودکار ریچارج", "自动充值"]),
    ("title.budget-told", ["Budget", "بجٹ", "预算"]),
    ("title.session-told", ["What is left", "کیا باقی ہے", "剩余情况"]),
    ("title.seller", ["Seller", "فروخت کنندہ", "销售方"]),
    ("title.stock", ["Stock", "اسٹاک", "库存"]),
    ("title.topup", ["Top-up", "ٹاپ اپ", "代充"]),

    // Use.
    ("group", ["Service group {group}:", "سروس گروپ {group}:", "服务组 {group}："]),
    ("used", ["You used {amount}.", "آپ کا استعمال: {amount}۔", "您使用了 {amount}。"]),
    ("unused", ["Nothing was used.", "کچھ استعمال نہیں ہوا۔", "没有使用量。"]),
    ("ahead", ["{amount} was already paid for.", "{amount} کی ادائیگی پہلے ہو چکی تھی۔", "其中 {amount} 之前已付费。"]),
    ("bucket", ["{amount} came from your bundle {source}: {pulses} × {step}.", "آپ کے بنڈل {source} سے: {amount} ({pulses} × {step})۔", "其中 {amount} 来自您的套餐 {source}：{pulses} × {step}。"]),
    ("tariff", ["{amount} at tariff {tariff} (version {version}): {pulses} × {pulse} at {price} = {cost}.", "{amount} بحساب ٹیرف {tariff} (ورژن {version}): {pulses} × {pulse}، فی پلس {price} = {cost}۔", "{amount} 按资费 {tariff}（版本 {version}）计费：{pulses} × {pulse}，每次 {price}，共 {cost}。"]),
    ("tax", ["This holds {tax} tax ({rate} %, rounded {rounding} for each pulse).", "اس میں {tax} ٹیکس شامل ہے ({rate} %، ہر پلس پر {rounding})۔", "其中含税 {tax}（税率 {rate} %，每次计费{rounding}）。"]),
    ("untaxed", ["No tax on this.", "اس پر کوئی ٹیکس نہیں۔", "此项免税。"]),
    ("draw", ["Taken from lot {lot} ({origin}): {amount}.", "حصہ {lot} ({origin}) سے لیا گیا: {amount}۔", "从第 {lot} 笔（{origin}）扣除：{amount}。"]),
    ("free", ["{amount} was free: tariff {tariff} has a maximum for one session, and it was reached.", "{amount} مفت رہا: ٹیرف {tariff} میں ایک سیشن کی زیادہ سے زیادہ حد پوری ہو گئی۔", "其中 {amount} 免费：资费 {tariff} 的单次会话封顶已到。"]),
    ("uncovered", ["{amount} went beyond your balance. It would have cost {cost}; you were not charged for it.", "{amount} آپ کے بیلنس سے زیادہ تھا۔ اس کی قیمت {cost} بنتی تھی، مگر آپ سے نہیں لی گئی۔", "其中 {amount} 超出您的余额，价值 {cost}，未向您收取。"]),
    ("setup", ["Set-up fee, once for each session (tariff {tariff}): {cost}, with {tax} tax in it.", "سیٹ اپ فیس، ہر سیشن پر ایک بار (ٹیرف {tariff}): {cost}، جس میں ٹیکس {tax} ہے۔", "接续费，每次会话收取一次（资费 {tariff}）：{cost}，其中含税 {tax}。"]),
    ("setup.uncovered", ["The set-up fee of {cost} (tariff {tariff}) went beyond your balance and was not taken.", "سیٹ اپ فیس {cost} (ٹیرف {tariff}) آپ کے بیلنس سے زیادہ تھی، اس لیے نہیں لی گئی۔", "接续费 {cost}（资费 {tariff}）超出您的余额，未收取。"]),
    ("left", ["{amount} of the last pulse is paid for and waits for you.", "آخری پلس میں سے {amount} کی ادائیگی ہو چکی ہے اور وہ آپ کے استعمال کے لیے باقی ہے۔", "最后一次计费中还有 {amount} 已付费，可继续使用。"]),
    ("cost", ["Taken from your balance: {cost}.", "آپ کے بیلنس سے لیے گئے: {cost}۔", "从您的余额扣除：{cost}。"]),
    ("granted", ["{amount} is set aside for what comes next.", "آگے کے استعمال کے لیے مختص: {amount}۔", "已为接下来的使用预留 {amount}。"]),
    ("held", ["Held for it in lot {lot} ({origin}): {amount}.", "اس کے لیے حصہ {lot} ({origin}) میں روکا گیا: {amount}۔", "为此在第 {lot} 笔（{origin}）中冻结：{amount}。"]),
    ("final", ["This is the last part that your balance allows.", "آپ کے بیلنس میں اس سے آگے کی گنجائش نہیں۔", "这是您的余额可支持的最后一部分。"]),
    ("change", ["The price changes at {time}.", "قیمت {time} پر بدلے گی۔", "价格将于 {time} 变化。"]),
    ("credit-limit", ["Your balance is not enough to go on.", "آگے جاری رکھنے کے لیے آپ کا بیلنس کافی نہیں۔", "您的余额不足以继续使用。"]),
    ("denied", ["Your account cannot use services at the moment.", "آپ کا اکاؤنٹ فی الحال سروسز استعمال نہیں کر سکتا۔", "您的账户暂时无法使用服务。"]),
    ("unrated", ["There is no price for this use, so nothing was charged for it.", "اس استعمال کی کوئی قیمت مقرر نہیں، اس لیے کچھ نہیں لیا گیا۔", "此项使用没有定价，因此未收费。"]),
    ("late", ["This report came after the session had ended.", "یہ اطلاع سیشن ختم ہونے کے بعد آئی۔", "此报告在会话结束后才收到。"]),
    ("ended", ["The session has ended; what was set aside is yours again.", "سیشن ختم ہو گیا؛ جو مختص تھا وہ دوبارہ آپ کا ہے۔", "会话已结束，预留的部分已退还给您。"]),
    ("silent", ["The network reported nothing more, so the session was closed.", "نیٹ ورک سے مزید اطلاع نہیں آئی، اس لیے سیشن بند کر دیا گیا۔", "网络没有再发来报告，因此关闭了会话。"]),
    ("moved", ["Your phone is in region {region}; its tax rate applies.", "آپ کا فون علاقہ {region} میں ہے؛ وہیں کی ٹیکس شرح لاگو ہے۔", "您的手机位于 {region} 地区，适用当地税率。"]),
    ("refund", ["{amount} was given back to your balance, with {tax} tax in it.", "{amount} آپ کے بیلنس میں واپس کیے گئے، جس میں ٹیکس {tax} ہے۔", "已退还 {amount} 到您的余额，其中含税 {tax}。"]),
    ("balance", ["Balance left: {balance}.", "باقی بیلنس: {balance}۔", "剩余余额：{balance}。"]),
    ("low", ["Your balance is low.", "آپ کا بیلنس کم ہے۔", "您的余额偏低。"]),

    // Recharge.
    ("paid", ["You paid {amount} through {channel}.", "آپ نے {channel} کے ذریعے {amount} ادا کیے۔", "您通过 {channel} 支付了 {amount}。"]),
    ("recharge.tax", ["Tax taken from it: {tax} ({rate} %, rounded {rounding}; region {region}).", "اس میں سے ٹیکس کٹا: {tax} ({rate} %، {rounding}؛ علاقہ {region})۔", "从中扣税：{tax}（税率 {rate} %，{rounding}；地区 {region}）。"]),
    ("recharge.untaxed", ["No tax was taken (region {region}).", "کوئی ٹیکس نہیں کٹا (علاقہ {region})۔", "未扣税（地区 {region}）。"]),
    ("fee", ["Fee: {amount}.", "فیس: {amount}۔", "手续费：{amount}。"]),
    ("credited", ["Added to your balance: {amount} (lot {lot}).", "آپ کے بیلنس میں شامل ہوئے: {amount} (حصہ {lot})۔", "存入您的余额：{amount}（第 {lot} 笔）。"]),
    ("promotion", ["A gift from {promotion}: {amount}, until {until}.", "{promotion} کی طرف سے تحفہ: {amount}، {until} تک۔", "{promotion} 赠送：{amount}，有效期至 {until}。"]),
    ("promotion.pending", ["A gift from {promotion} is on its way: {amount}.", "{promotion} کا تحفہ آ رہا ہے: {amount}۔", "{promotion} 的赠送即将到账：{amount}。"]),
    ("promotion.none", ["The funds of {promotion} are used up, so its gift was not given.", "{promotion} کی رقم ختم ہو چکی ہے، اس لیے تحفہ نہیں ملا۔", "{promotion} 的名额已用完，未能赠送。"]),
    ("bonus.refused", ["The gift from {promotion} for receipt {receipt} was not given: {reason}.", "رسید {receipt} پر {promotion} کا تحفہ نہیں ملا: {reason}۔", "收据 {receipt} 的 {promotion} 赠送未能发放：{reason}。"]),
    ("bonus.for", ["It belongs to receipt {receipt}.", "اس کا تعلق رسید {receipt} سے ہے۔", "属于收据 {receipt}。"]),
    ("budget.funded", ["Put into the budget: {amount}.", "بجٹ میں ڈالے گئے: {amount}۔", "预算注入：{amount}。"]),
    ("budget.closed", ["Given back to marketing: {amount}.", "مارکیٹنگ کو واپس: {amount}۔", "退还市场部门：{amount}。"]),
    ("budget.leased", ["Partition {home} may spend {amount} of it.", "پارٹیشن {home} اس میں سے {amount} خرچ کر سکتا ہے۔", "分区 {home} 可使用其中 {amount}。"]),
    ("budget.back", ["Partition {home} gave back {amount}.", "پارٹیشن {home} نے {amount} واپس کیے۔", "分区 {home} 退回 {amount}。"]),
    ("shares.changed", ["What may be spent here of {promotion} has changed by {amount}.", "یہاں {promotion} میں سے خرچ کی گنجائش {amount} سے بدلی۔", "此处可使用的 {promotion} 预算变动 {amount}。"]),
    ("validity", ["Your balance is valid until {until}.", "آپ کا بیلنس {until} تک کارآمد ہے۔", "您的余额有效期至 {until}。"]),
    ("revived", ["Your account is active again.", "آپ کا اکاؤنٹ دوبارہ فعال ہے۔", "您的账户已恢复使用。"]),
    ("joined", ["Lot {from} was joined with lot {into}; its value is the same.", "حصہ {from} کو حصہ {into} میں ملا دیا گیا؛ مالیت وہی ہے۔", "第 {from} 笔已并入第 {into} 笔，价值不变。"]),
    ("receipt", ["Receipt {receipt}, reference {reference}.", "رسید {receipt}، حوالہ {reference}۔", "收据 {receipt}，参考号 {reference}。"]),

    // Bundles.
    ("price", ["Price: {price} (catalog version {version}).", "قیمت: {price} (کیٹلاگ ورژن {version})۔", "价格：{price}（目录版本 {version}）。"]),
    ("price.discount", ["{promotion} took {amount} off the price.", "{promotion} نے قیمت میں {amount} کم کیے۔", "{promotion} 已优惠 {amount}。"]),
    ("price.tax", ["This holds {tax} tax ({rate} %, rounded {rounding}).", "اس میں {tax} ٹیکس شامل ہے ({rate} %، {rounding})۔", "其中含税 {tax}（税率 {rate} %，{rounding}）。"]),
    ("brought", ["It brought {amount} (lot {lot}), until {until}.", "اس سے ملا: {amount} (حصہ {lot})، {until} تک۔", "获得 {amount}（第 {lot} 笔），有效期至 {until}。"]),
    ("renews", ["It renews by itself at {time}.", "یہ {time} پر خود بخود تجدید ہو گا۔", "将于 {time} 自动续订。"]),
    ("renewal.off", ["It does not renew by itself.", "یہ خود بخود تجدید نہیں ہو گا۔", "不会自动续订。"]),
    ("renewal.failed", ["It could not be renewed: {reason}. Renewal is off now; nothing was taken.", "تجدید نہیں ہو سکی: {reason}۔ تجدید اب بند ہے؛ کچھ نہیں لیا گیا۔", "无法续订：{reason}。自动续订已关闭，没有扣款。"]),

    // Time and life cycle.
    ("expired", ["{amount} in lot {lot} ({origin}) ran out of time.", "حصہ {lot} ({origin}) میں {amount} کی میعاد ختم ہو گئی۔", "第 {lot} 笔（{origin}）中的 {amount} 已过期。"]),
    ("state", ["Your account was {from} and is {to} now.", "آپ کا اکاؤنٹ پہلے {from} تھا، اب {to} ہے۔", "您的账户状态由“{from}”变为“{to}”。"]),
    ("state.kept", ["Your balance is kept. A recharge brings it back.", "آپ کا بیلنس محفوظ ہے۔ ریچارج کریں تو دوبارہ مل جائے گا۔", "您的余额会保留，充值后即可恢复使用。"]),
    ("opened", ["The number {number} is ready.", "نمبر {number} تیار ہے۔", "号码 {number} 已开通。"]),
    ("opening", ["Balance brought along: {amount} (lot {lot}).", "ساتھ لایا گیا بیلنس: {amount} (حصہ {lot})۔", "转入余额：{amount}（第 {lot} 笔）。"]),
    ("language", ["Messages come in {language} now.", "اب پیغامات {language} میں آئیں گے۔", "之后的消息将使用{language}。"]),
    ("tax-class", ["Tax class at recharge: {class}.", "ریچارج پر ٹیکس کا درجہ: {class}۔", "充值税务类别：{class}。"]),
    ("unchanged", ["Nothing else changed.", "اور کچھ نہیں بدلا۔", "没有其他更改。"]),

    // Payments.
    ("payment.created", ["A payment of {amount} by {rail} for the number {number} was begun (reference {reference}).", "نمبر {number} کے لیے {rail} سے {amount} کی ادائیگی شروع ہوئی (حوالہ {reference})۔", "已发起通过 {rail} 为号码 {number} 支付 {amount}（参考号 {reference}）。"]),
    ("payment.presented", ["The payment page was shown.", "ادائیگی کا صفحہ دکھایا گیا۔", "已显示支付页面。"]),
    ("payment.awaiting-customer", ["It waits for the payer.", "ادا کرنے والے کا انتظار ہے۔", "正在等待付款人操作。"]),
    ("payment.awaiting-cash", ["It waits for cash or a transfer.", "نقد رقم یا منتقلی کا انتظار ہے۔", "正在等待现金或转账。"]),
    ("payment.pending", ["It is not known yet whether it was paid. We keep asking.", "ابھی معلوم نہیں کہ ادائیگی ہوئی یا نہیں۔ ہم پوچھ رہے ہیں۔", "尚不清楚是否已付款，我们会继续查询。"]),
    ("payment.failed", ["It was not paid ({code}). Nothing was taken.", "ادائیگی نہیں ہوئی ({code})۔ کچھ نہیں لیا گیا۔", "付款未成功（{code}），没有扣款。"]),
    ("payment.expired", ["Time ran out; nothing was paid.", "وقت ختم ہو گیا؛ کچھ ادا نہیں ہوا۔", "已超时，未付款。"]),
    ("payment.settled", ["{amount} was paid (reference {reference}).", "{amount} ادا ہو گئے (حوالہ {reference})۔", "已支付 {amount}（参考号 {reference}）。"]),
    ("payment.credited", ["It was credited at the same moment: receipt {receipt}.", "اسی لمحے جمع ہو گئے: رسید {receipt}۔", "已同时入账：收据 {receipt}。"]),
    ("payment.connector", ["It goes on to the operator through {connector}.", "یہ {connector} کے ذریعے آپریٹر کو جا رہے ہیں۔", "正通过 {connector} 转给运营商。"]),
    ("payment.suspense", ["It named no payment of ours. It is kept aside until it goes back or its number is known.", "اس میں ہماری کسی ادائیگی کا حوالہ نہیں تھا۔ واپسی یا نمبر معلوم ہونے تک یہ الگ رکھی ہے۔", "它未对应我们的任何付款，将暂存至退还或确定号码为止。"]),
    ("payment.assigned", ["Our staff found whose it is. It is being credited.", "ہمارے عملے نے معلوم کر لیا کہ یہ کس کی ہے۔ جمع ہو رہی ہے۔", "工作人员已确认归属，正在入账。"]),
    ("payment.not-credited", ["It could not be credited: {reason}.", "جمع نہیں ہو سکے: {reason}۔", "无法入账：{reason}。"]),
    ("payment.refund", ["{amount} goes back to the payer.", "{amount} ادا کرنے والے کو واپس جا رہے ہیں۔", "{amount} 正在退还给付款人。"]),
    ("payment.cancelled", ["The payer gave up. If it is paid after all, the money goes back.", "ادا کرنے والے نے ارادہ بدل دیا۔ اگر پھر بھی ادائیگی ہوئی تو رقم واپس جائے گی۔", "付款人已放弃。如仍被扣款，将予退还。"]),
    ("payment.refunded", ["{amount} was given back (reference {reference}).", "{amount} واپس کر دیے گئے (حوالہ {reference})۔", "已退还 {amount}（参考号 {reference}）。"]),
    ("payment.refund-refused", ["The refund was refused ({code}). Our staff look after it.", "واپسی سے انکار ہوا ({code})۔ ہمارا عملہ دیکھ رہا ہے۔", "退款被拒（{code}），工作人员正在处理。"]),
    ("payment.refund-retried", ["The refund is asked for again.", "واپسی دوبارہ مانگی جا رہی ہے۔", "正在重新申请退款。"]),
    ("payment.reversed", ["{amount} was taken back by the payer's bank ({code}).", "{amount} ادا کرنے والے کے بینک نے واپس لے لیے ({code})۔", "付款人的银行已追回 {amount}（{code}）。"]),
    ("payment.mismatch", ["{paid} was paid, which is not what was asked. Our staff look after it.", "{paid} ادا ہوئے جو مانگی گئی رقم نہیں۔ ہمارا عملہ دیکھ رہا ہے۔", "实付 {paid}，与应付不符，工作人员正在处理。"]),
    ("payment.twice", ["{paid} was paid a second time. Our staff look after it.", "{paid} دوسری بار ادا ہو گئے۔ ہمارا عملہ دیکھ رہا ہے۔", "重复支付了 {paid}，工作人员正在处理。"]),
    ("payment.contradiction", ["The rail contradicts itself ({code}). Our staff look after it.", "ادائیگی کا نظام متضاد بات کہتا ہے ({code})۔ ہمارا عملہ دیکھ رہا ہے۔", "支付渠道前后矛盾（{code}），工作人员正在处理。"]),
    ("payment.resolved", ["Our staff have put it right.", "ہمارے عملے نے درست کر دیا۔", "工作人员已处理完毕。"]),
    ("payment.delivered", ["The operator has credited it (reference {reference}).", "آپریٹر نے جمع کر دیے (حوالہ {reference})۔", "运营商已入账（参考号 {reference}）。"]),
    ("taken-back", ["{amount} of payment {reference} goes back to the payer: {unused} that was unused, and {tax} tax.", "ادائیگی {reference} کے {amount} واپس جا رہے ہیں: غیر استعمال شدہ {unused} اور ٹیکس {tax}۔", "付款 {reference} 中的 {amount} 正在退还：未使用的 {unused} 和税 {tax}。"]),

    // Directory, partners, floats.
    ("catalog.published", ["Version {version} of the prices is in force.", "نرخوں کا ورژن {version} نافذ ہے۔", "资费第 {version} 版已生效。"]),
    ("number.ours", ["The number belongs to account {account}.", "یہ نمبر اکاؤنٹ {account} کا ہے۔", "该号码属于账户 {account}。"]),
    ("number.other", ["The number is served by operator {operator}.", "یہ نمبر آپریٹر {operator} کے پاس ہے۔", "该号码由运营商 {operator} 提供服务。"]),
    ("partner.opened", ["{name} can sell recharges now.", "{name} اب ریچارج فروخت کر سکتا ہے۔", "{name} 现在可以销售充值。"]),
    ("key.added", ["The key {key} was made.", "کلید {key} بنائی گئی۔", "已创建密钥 {key}。"]),
    ("key.revoked", ["The key {key} no longer works.", "کلید {key} اب کام نہیں کرے گی۔", "密钥 {key} 已停用。"]),
    ("taken-back.sale", ["{amount} of the recharge {reference} goes back to its seller, who says it was meant for another number: {unused} that was unused, and {tax} tax.", "ریچارج {reference} کے {amount} بیچنے والے کو واپس جا رہے ہیں، جس کے مطابق یہ کسی اور نمبر کے لیے تھا: غیر استعمال شدہ {unused} اور ٹیکس {tax}۔", "充值 {reference} 中的 {amount} 退回售卖方，其称充错号码：未使用的 {unused} 和税 {tax}。"]),
    // The selling chain.
    ("chain.changed", ["The seller's entry was changed.", "فروخت کنندہ کا اندراج بدلا گیا۔", "销售方资料已更改。"]),
    ("chain.blocked", ["It may not sell any more.", "اب فروخت کی اجازت نہیں۔", "已停止销售。"]),
    ("chain.open", ["It may sell again.", "دوبارہ فروخت کی اجازت ہے۔", "已恢复销售。"]),
    ("chain.sold", ["{amount} was sold; the float is {balance} now.", "{amount} فروخت ہوئے؛ اب فلوٹ {balance} ہے۔", "售出 {amount}；备付金现为 {balance}。"]),
    ("chain.ended", ["A sale of {amount} was completed.", "{amount} کی فروخت مکمل ہوئی۔", "{amount} 的销售已完成。"]),
    ("chain.refused", ["A sale of {amount} was refused; it does not count.", "{amount} کی فروخت قبول نہیں ہوئی؛ شمار نہیں ہو گی۔", "{amount} 的销售被拒绝，不计入。"]),
    ("chain.reversed", ["{amount} of a sale was reversed.", "ایک فروخت کے {amount} واپس ہوئے۔", "一笔销售中的 {amount} 已撤销。"]),
    ("chain.gave", ["{amount} of stock went out; the float is {balance} now.", "{amount} کا اسٹاک بھیجا گیا؛ اب فلوٹ {balance} ہے۔", "转出库存 {amount}；备付金现为 {balance}。"]),
    ("chain.sent", ["{amount} of stock is on its way (movement {id}).", "{amount} کا اسٹاک بھیجا جا رہا ہے (منتقلی {id})۔", "库存 {amount} 正在转出（编号 {id}）。"]),
    ("chain.sent.back", ["{amount} of commission went back with it.", "اس کے ساتھ {amount} کمیشن واپس گیا۔", "随之退回佣金 {amount}。"]),
    ("chain.received", ["{amount} of stock came in (movement {id}).", "{amount} کا اسٹاک آیا (منتقلی {id})۔", "收到库存 {amount}（编号 {id}）。"]),
    ("chain.commission", ["Commission on top of it: {amount}.", "اس پر کمیشن: {amount}۔", "另加佣金：{amount}。"]),
    ("chain.arrived", ["{amount} of stock has arrived (movement {id}).", "{amount} کا اسٹاک پہنچ گیا (منتقلی {id})۔", "库存 {amount} 已到达（编号 {id}）。"]),
    ("chain.returned", ["{amount} of stock could not be delivered and is back (movement {id}).", "{amount} کا اسٹاک پہنچ نہ سکا اور واپس آ گیا (منتقلی {id})۔", "库存 {amount} 未能送达，已退回（编号 {id}）。"]),
    ("chain.drawn", ["{amount} was drawn from the credit line.", "کریڈٹ لائن سے {amount} لیے گئے۔", "已从信用额度支取 {amount}。"]),
    ("chain.paid", ["{amount} of what was owed is paid.", "واجب رقم میں سے {amount} ادا ہوئے۔", "已偿还欠款 {amount}。"]),
    ("chain.bonus", ["The target is reached: bonus {amount}.", "ہدف پورا ہوا: بونس {amount}۔", "达到目标：奖金 {amount}。"]),
    ("chain.bonus.back", ["The target is not reached any more; the bonus of {amount} is taken back.", "ہدف اب پورا نہیں رہا؛ {amount} کا بونس واپس لیا گیا۔", "目标不再达成；奖金 {amount} 已收回。"]),
    ("chain.share", ["{amount} goes to somebody above, for a sale.", "ایک فروخت پر {amount} اوپر والے کو جاتے ہیں۔", "因一笔销售，{amount} 付给上级。"]),
    ("chain.share.back", ["{amount} is taken back from somebody above, for a sale that was reversed.", "واپس ہونے والی فروخت پر {amount} اوپر والے سے واپس لیے جاتے ہیں۔", "因销售撤销，从上级收回 {amount}。"]),
    ("chain.earned", ["{amount} came from a sale below.", "نیچے کی ایک فروخت سے {amount} آئے۔", "下级销售带来 {amount}。"]),
    ("chain.earned.back", ["{amount} is taken back: a sale below was reversed.", "{amount} واپس لیے گئے: نیچے کی ایک فروخت واپس ہوئی۔", "收回 {amount}：下级销售已撤销。"]),
    ("float.in", ["{amount} was paid into the float (reference {reference}).", "فلوٹ میں {amount} جمع ہوئے (حوالہ {reference})۔", "备付金存入 {amount}（参考号 {reference}）。"]),
    ("float.out", ["{amount} was paid out of the float (reference {reference}).", "فلوٹ سے {amount} نکالے گئے (حوالہ {reference})۔", "备付金取出 {amount}（参考号 {reference}）。"]),
    ("float.debited", ["{amount} is on its way to a subscriber (top-up {id}).", "{amount} صارف کو بھیجے جا رہے ہیں (ٹاپ اپ {id})۔", "{amount} 正在转给用户（代充 {id}）。"]),
    ("float.credited", ["{amount} has arrived (top-up {id}).", "{amount} پہنچ گئے (ٹاپ اپ {id})۔", "{amount} 已到账（代充 {id}）。"]),
    ("float.returned", ["{amount} is back in the float (top-up {id}).", "{amount} فلوٹ میں واپس آ گئے (ٹاپ اپ {id})۔", "{amount} 已退回备付金（代充 {id}）。"]),
    ("topup.created", ["{amount} for the number {number} (reference {reference}).", "نمبر {number} کے لیے {amount} (حوالہ {reference})۔", "为号码 {number} 代充 {amount}（参考号 {reference}）。"]),
    ("topup.done", ["It is done: {amount} was credited. Receipt {receipt}.", "مکمل ہو گیا: {amount} شامل ہوئے۔ رسید {receipt}۔", "已完成：到账 {amount}。收据 {receipt}。"]),
    ("topup.delivered", ["It is done: the other operator credited it (reference {reference}).", "مکمل ہو گیا: دوسرے آپریٹر نے شامل کر دیا (حوالہ {reference})۔", "已完成：对方运营商已入账（参考号 {reference}）。"]),
    ("reversal.proposed", ["Somebody asked for it back; somebody else has to approve.", "کسی نے واپسی مانگی ہے؛ کسی دوسرے کی منظوری ضروری ہے۔", "有人申请撤销，需另一人批准。"]),
    ("reversal.asked", ["It was asked back: what is unused will be returned.", "واپسی مانگی گئی: جو استعمال نہیں ہوا وہ واپس ہو گا۔", "已申请撤销：未使用的部分将退回。"]),
    ("reversal.done", ["{amount} was taken back, and {commission} commission with it.", "{amount} واپس لیے گئے، اور ساتھ کمیشن {commission}۔", "已收回 {amount}，并退回佣金 {commission}。"]),
    ("reversal.refused", ["Nothing was taken back: {reason}.", "کچھ واپس نہیں لیا گیا: {reason}۔", "未收回任何款项：{reason}。"]),
    ("topup.declined", ["It was declined: {reason}. The money is back in the float.", "قبول نہیں ہوا: {reason}۔ رقم فلوٹ میں واپس ہے۔", "未能完成：{reason}。款项已退回备付金。"]),
    ("auto.set", ["Auto-recharge was set up: {amount} through {rail}.", "خودکار ریچارج مقرر ہوا: {amount} بذریعہ {rail}۔", "已设置自动充值：{amount}，通过 {rail}。"]),
    ("auto.tried", ["Auto-recharge asked for {amount} (payment {reference}).", "خودکار ریچارج نے {amount} طلب کیے (ادائیگی {reference})۔", "自动充值已发起 {amount}（付款 {reference}）。"]),
    ("auto.held", ["Auto-recharge was held back by its limit.", "خودکار ریچارج اپنی حد کی وجہ سے رک گیا۔", "自动充值因达到上限而暂缓。"]),
    ("auto.paid", ["Auto-recharge was paid.", "خودکار ریچارج کی ادائیگی ہو گئی۔", "自动充值已支付。"]),
    ("auto.unpaid", ["Auto-recharge was not paid.", "خودکار ریچارج کی ادائیگی نہیں ہوئی۔", "自动充值未支付。"]),
    ("auto.resumed", ["Auto-recharge works again.", "خودکار ریچارج دوبارہ فعال ہے۔", "自动充值已恢复。"]),
    ("auto.paused", ["Auto-recharge is paused.", "خودکار ریچارج روک دیا گیا۔", "自动充值已暂停。"]),
    ("auto.ended", ["Auto-recharge has ended.", "خودکار ریچارج ختم ہو گیا۔", "自动充值已结束。"]),
    ("auto.planned", ["The next auto-recharge was planned.", "اگلا خودکار ریچارج طے ہو گیا۔", "已安排下一次自动充值。"]),
    ("budget.told", ["You were told where the month's budget stands.", "آپ کو مہینے کے بجٹ کی صورتحال بتائی گئی۔", "已向您告知本月预算情况。"]),
    ("session.told", ["You were told what is left after a session.", "سیشن کے بعد آپ کو باقی کا بتایا گیا۔", "会话结束后已向您告知剩余情况。"]),
    ("kept", ["The reference is remembered, so that the request cannot be made twice.", "حوالہ یاد رکھا گیا ہے تاکہ درخواست دو بار نہ ہو۔", "已记录参考号，避免重复请求。"]),

    // One line for a message or a statement.
    ("summary.use", ["{title}: {amount}, {cost}. Balance {balance}.", "{title}: {amount}، {cost}۔ بیلنس {balance}۔", "{title}：{amount}，{cost}。余额 {balance}。"]),
    ("summary.session", ["{title}. Balance {balance}.", "{title}۔ بیلنس {balance}۔", "{title}。余额 {balance}。"]),
    ("summary.recharge", ["Recharge of {amount}: tax {tax}, added {credited}. Balance {balance}, valid until {until}.", "{amount} کا ریچارج: ٹیکس {tax}، شامل ہوئے {credited}۔ بیلنس {balance}، {until} تک کارآمد۔", "充值 {amount}：扣税 {tax}，到账 {credited}。余额 {balance}，有效期至 {until}。"]),
    ("summary.bundle", ["{title}: {cost}, until {until}. Balance {balance}.", "{title}: {cost}، {until} تک۔ بیلنس {balance}۔", "{title}：{cost}，有效期至 {until}。余额 {balance}。"]),
    ("summary.line", ["{title}: {line}", "{title}: {line}", "{title}：{line}"]),

    // Words.
    ("word.money", ["Rs {n}", "{n} روپے", "{n} 卢比"]),
    ("word.exactly", ["{shown} (exactly {exact})", "{shown} (ٹھیک {exact})", "{shown}（精确值 {exact}）"]),
    ("word.hours", ["{n} h", "{n} گھنٹے", "{n} 小时"]),
    ("word.minutes", ["{n} min", "{n} منٹ", "{n} 分"]),
    ("word.seconds", ["{n} s", "{n} سیکنڈ", "{n} 秒"]),
    ("word.messages", ["{n} SMS", "{n} ایس ایم ایس", "{n} 条短信"]),
    ("word.never", ["without end", "بلا میعاد", "永久"]),
    ("origin.paid", ["paid", "ادا شدہ", "充值"]),
    ("origin.bonus", ["gift", "تحفہ", "赠送"]),
    ("origin.advance", ["advance", "ایڈوانس", "预支"]),
    ("origin.bundle", ["bundle", "بنڈل", "套餐"]),
    ("state.active", ["active", "فعال", "正常"]),
    ("state.expired", ["expired", "میعاد ختم", "已过期"]),
    ("state.suspended", ["suspended", "معطل", "已暂停"]),
    ("state.closed", ["closed", "بند", "已注销"]),
    ("rounding.half-up", ["to the nearest", "قریب ترین عدد تک", "四舍五入"]),
    ("rounding.down", ["down", "نیچے کی طرف", "向下取整"]),
    ("rounding.up", ["up", "اوپر کی طرف", "向上取整"]),
    ("rounding.half-even", ["to the nearest even", "قریب ترین جفت عدد تک", "四舍六入五成双"]),
    ("class.standard", ["standard", "عام", "标准"]),
    ("class.listed-non-filer", ["listed non-filer", "فہرست شدہ نان فائلر", "列名未申报人"]),
    ("class.exempt", ["exempt", "مستثنیٰ", "免税"]),
    ("language.en", ["English", "انگریزی", "英语"]),
    ("language.ur", ["Urdu", "اردو", "乌尔都语"]),
    ("language.zh", ["Chinese", "چینی", "中文"]),
    ("reason.balance", ["the balance is too low", "بیلنس کم ہے", "余额不足"]),
    ("reason.inactive", ["the account is not active", "اکاؤنٹ فعال نہیں", "账户未激活"]),
    ("reason.offer", ["this bundle is not offered any more", "یہ بنڈل اب دستیاب نہیں", "该套餐已停售"]),
    ("reason.funds", ["its funds are used up", "اس کی رقم ختم ہو چکی ہے", "名额已用完"]),
    ("reason.taken-back", ["its recharge was taken back", "اس کا ریچارج واپس لے لیا گیا", "对应的充值已被撤回"]),
    ("reason.limit", ["a limit is reached", "حد پوری ہو گئی", "已达上限"]),
    ("reason.amount", ["the amount is not allowed", "اس رقم کی اجازت نہیں", "金额不在允许范围内"]),
    ("reason.other", ["it is not possible at the moment (code {code})", "فی الحال ممکن نہیں (کوڈ {code})", "暂时无法办理（代码 {code}）"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn variables(text: &str) -> BTreeSet<&str> {
        let parts = text.split('{').skip(1);
        parts
            .filter_map(|part| part.split_once('}').map(|(name, _)| name))
            .collect()
    }

    #[test]
    fn every_language_has_every_sentence_with_the_same_variables() {
        let mut keys = BTreeSet::new();
        for (key, texts) in SENTENCES {
            assert!(keys.insert(key), "{key} is there twice");
            for text in texts {
                assert!(!text.trim().is_empty(), "{key}");
                assert_eq!(variables(text), variables(texts[0]), "{key}: {text}");
            }
            let urdu = texts[1].chars().any(|c| ('\u{0600}'..='\u{06ff}').contains(&c));
            let chinese = texts[2].chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            let words = !matches!(*key, "summary.line");
            assert!(urdu && chinese || !words, "{key} is not translated");
        }
    }

    #[test]
    fn the_code_uses_only_sentences_that_exist() {
        let sources = [
            include_str!("../explain.rs"),
            include_str!("chain.rs"),
            include_str!("charged.rs"),
            include_str!("payment.rs"),
            include_str!("words.rs"),
            include_str!("promotion.rs"),
        ];
        for (key, _) in SENTENCES {
            let quoted = format!("\"{key}\"");
            assert!(
                sources.iter().any(|text| text.contains(&quoted)),
                "{key} is never said"
            );
        }
        assert_eq!(
            sentence("used", Language::Ur),
            SENTENCES.iter().find(|(k, _)| *k == "used").expect("there").1[1]
        );
    }
}
