# 刮刮卡

card-title = 用刮刮卡充值
card-lead = 刮开涂层，输入下面的数字，金额立即到账。
card-link = 我有刮刮卡
card-pin = 涂层下的号码
card-pin-hint = 空格不影响。位数：
card-redeem = 充值
card-care = 输错五次后需等待一小时，之后每次更久。到账前请保留卡片。
card-done = 金额已到账
card-done-before = 这张卡此前已充入该号码
card-value = 卡面值
card-tax = 其中税款
card-balance = 当前余额
card-serial = 序列号
card-receipt = 收据
card-another = 再充一张
card-said = 卡面值{ $value }（已扣税）已到账，余额{ $balance }。
card-said-before = 这张卡此前已充入您的号码。
