# 按键服务：USSD 页面和关键词回复。每页 80 个字符。

keypad-more = 98 下一页
keypad-menu-balance = 余额
keypad-menu-data = 剩余用量
keypad-menu-number = 本机号码
keypad-menu-bundles = 购买套餐
keypad-menu-recharge = 刮刮卡
keypad-menu-offers = 优惠
keypad-menu-stop = 停止服务
keypad-menu-language = 语言
keypad-menu-share = 转赠余额
keypad-menu-advance = 预支
keypad-unknown = 未知代码。全部功能：{ $code }
keypad-wrong-choice = 没有此选项。
keypad-balance = 余额{ $amount }，有效期至{ $date }。
keypad-bonus = 其中赠送{ $amount }。
keypad-left = { $what }：{ $left }，至{ $date }
keypad-nothing-left = 您没有套餐。购买：{ $code }
keypad-number = 您的号码是 { $number }。
keypad-bundles = 套餐
keypad-none = 暂时没有。
keypad-offer = { $name }，{ $price }（含税），至{ $date }
keypad-offer-until = { $name }，至{ $date }
keypad-no-offers = 暂无优惠。
keypad-buy = 购买
keypad-buy-renew = 购买并自动续订
keypad-sure = 以{ $price }购买{ $name }？购后余额{ $left }。
keypad-sure-renew = 以{ $price }购买{ $name }并自动续订？购后余额{ $left }。
keypad-yes = 是
keypad-no = 否
keypad-not-bought = 未购买。
keypad-too-little = { $name }需{ $price }，您的余额为{ $balance }。
keypad-bought = { $name }已生效，至{ $date }。价格{ $price }，余额{ $balance }。
keypad-done = 已完成。
keypad-card = 请输入卡上的数字。
keypad-bad-card = 这不是卡上的数字。未使用任何卡。
keypad-no-cards = 这里尚不支持刮刮卡。
keypad-stop = 停止
keypad-stop-renewals = 自动续订（{ $count }）
keypad-stop-offers = 优惠短信
keypad-renewals-stopped =
    { $count ->
        [0] 没有自动续订的套餐。
       *[other] { $count } 个套餐不再续订。
    }
keypad-offers-stopped = 您不会再收到优惠短信。
keypad-language = 语言
keypad-language-set = 短信和菜单已改为中文。
keypad-later = 此服务尚未开通。
keypad-sell-how = 销售：代码后加 号码*金额*PIN，或发送 LOAD 号码 金额 PIN。未销售。
keypad-no-shop = 这里不办理销售。未销售。
keypad-bad-amount = 金额不清楚，请只写数字。未做任何操作。
keypad-bad-pin = PIN 为 4 至 8 位数字。未做任何操作。
keypad-busy = 系统繁忙，请一分钟后再试。未做任何操作。
keypad-unknown-outcome = 结果尚不清楚。再试之前请先查询余额。
keypad-session-over = 已超时，请重新拨号。
keypad-too-many = 请求过多，请稍等一分钟。
keypad-sms-help = BAL 余额，DATA 剩余，NUM 号码，LIST 套餐，BUY 代码，CARD 数字，LANG EN/UR/ZH，STOP。发送至 { $code }。
keypad-sms-meant = 无法识别。您是指 { $word } 吗？未做任何操作。HELP 列出全部关键词。
keypad-sms-unknown = 无法识别，未做任何操作。HELP 列出全部关键词。
keypad-sms-buy-how = 请发送 BUY 和套餐代码。LIST 列出套餐。未购买。
keypad-sms-card-how = 请发送 CARD 和卡上的数字。未使用任何卡。
keypad-sms-language-how = 请发送 LANG EN、LANG UR 或 LANG ZH。
keypad-sms-list = { $code } { $price }
keypad-not-allowed = 未知的网关。
keypad-bad-request = 无法读取此请求。
