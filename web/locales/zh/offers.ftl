offers-title = 优惠
offers-lead = 现在和即将推出的充值与套餐优惠。
offers-operators = 运营商
offers-all = 全部
offers-none = 目前没有优惠。
offers-current = 进行中
offers-coming = 即将开始
offers-synthetic = 此活动为演示而虚构。
offers-fine = 赠送以预算为限，送完即止；付款前会显示您将得到什么。没有任何抽奖。
offers-gift = 您将获得
offers-gift-of = { $amount }：{ $what }
offers-gift-percent = 到账金额的{ $percent }，最多{ $maximum }
offers-discount = 您可节省
offers-for = 适用于
offers-on-first = 首次充值
offers-on-recharge = 充值
offers-on-bundle = 套餐
offers-from = 最低
offers-to = 最高
offers-code = 代码
offers-channels = 付款方式
offers-days = 日期
offers-hours = 时段
offers-limit = 次数
offers-limit-campaign = { $times ->
   *[other] { $times }次
}
offers-limit-day = { $times ->
   *[other] 每天{ $times }次
}
offers-limit-week = { $times ->
   *[other] 每周{ $times }次
}
offers-limit-month = { $times ->
   *[other] 每月{ $times }次
}
offers-period = 时间
offers-period-of = { $from }至{ $until }
day-mon = 周一
day-tue = 周二
day-wed = 周三
day-thu = 周四
day-fri = 周五
day-sat = 周六
day-sun = 周日
