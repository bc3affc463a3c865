# 每个页面的框架：位置、颜色、安装、以及没有网络的时候。

app-name = Raseed：预付费余额
app-short = Raseed
app-about = 您的预付费余额、充值和收据，每一卢比都有说明。
shortcut-balance = 余额

places = 主要页面
places-all = 所有页面
place-home = 首页
place-recharge = 充值
place-bundles = 套餐
place-statement = 账单
place-receipts = 收据
place-budget = 预算
place-auto = 自动充值
place-offers = 优惠
place-outlets = 网点
place-complaints = 投诉
place-profile = 个人资料
place-verify = 查验收据
place-help = 帮助
place-sign-in = 登录
place-more = 更多

signed-in = 已登录
themes = 外观
theme-auto = 自动
theme-light = 浅色
theme-dark = 深色
install-title = 添加到主屏幕
install-hint = Raseed 可以像应用一样打开，没有网络时也能显示上次的余额。
install = 安装

away = 您已离线
away-as-of = 您已离线。以下内容截至
offline-title = 您已离线
offline-lead = 此页面需要网络。余额和收据在查看过一次后会保存在这里。
offline-home = 返回首页
