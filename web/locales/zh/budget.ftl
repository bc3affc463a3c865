# 每月预算。

budget-lead = 设定每月上限，我们会及时提醒您。
budget-none = 尚未设定目标。以下是目前的情况。
budget-of = { $spent } / { $target }
budget-over = 按此速度，您将超出目标 { $amount }。
budget-under = 按此速度，您将低于目标 { $amount }。
budget-spent = 目前已用
budget-pace = 平均每天
budget-days = 今天之后剩余天数
budget-forecast = 全月预测
budget-how = 预测：目前已用金额，加上剩余每一天按您最近 30 天（或开户以来）的平均支出计算。
budget-target = 每月目标
budget-amount = 每月最多
budget-hint = 留空表示不设目标。
budget-save = 保存
budget-alerts = 达到50%、80%、100%以及预测超出目标时，这里会提示，每月各发一条短信。不会停用任何服务。可在隐私页面关闭短信。
budget-error = 这不是金额。请这样填写：{ "1500" }
budget-alert-50 = 本月目标已用去一半。
budget-alert-80 = 本月目标已用去 80%。
budget-alert-100 = 本月目标已用完。
