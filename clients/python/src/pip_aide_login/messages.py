"""Everything that is said to the user, in English and Chinese."""

from __future__ import annotations

import locale
import os
from typing import Dict, Optional, Tuple

ENGLISH: Dict[str, str] = {
    # Help
    "help": (
        "Gets this machine a token from a pip-aide-gateway and stores it where pip-aide finds it. "
        "It costs a second or two of computing and needs no account."
    ),
    "help_url": "the gateway, such as https://pip-aide.example.com; with --status and --logout it "
    "may be left out",
    "help_print": "print the credential as JSON and store nothing",
    "help_status": "show the limits of the token that is stored, and what is left of them",
    "help_logout": "remove the entry that this program made for the gateway, and nothing else",
    "help_configure": "also make pip-aide use the gateway, in {path}",
    "help_replace": "overwrite an entry for the gateway's host that this program did not write",
    "help_timeout": "seconds that one request may take in all (default: 30)",
    "help_lang": "language of what is said (default: that of the system)",
    "help_version": "show the version and exit",
    "help_help": "show this help and exit",
    "help_epilog": (
        "exit codes: 0 done; 1 not logged in, or the token is refused; 2 wrong usage; "
        "3 the gateway cannot be reached; 4 it refuses; 5 its answer makes no sense; "
        "6 a file cannot be used; 130 Ctrl-C"
    ),
    # Progress and results
    "working": "Proof of work",
    "pausing": "The gateway asks for a pause of {seconds} s.",
    "logged_in": "Logged in to {origin} as {machine}. The token is valid until {until}.",
    "stored": "It is stored in {path}.",
    "already_used": "pip-aide uses this gateway.",
    "configured": "pip-aide is set to this gateway in {path}.",
    "how_to_use": "To use it with pip-aide:",
    "or_configure": "Or have it set for good: pip-aide-login --configure {origin}",
    "mode_fixed": "Others could read {path}. Now only you can (mode 0600).",
    "mode_wide": "Others can read {path}, and with it the token: chmod 600 {path}",
    "other_gateway": (
        "Note: netrc files know hosts but no ports. The token for {old} was replaced: pip-aide can "
        "use only one gateway of {host} this way. For another one take the token of --print and set "
        "PIP_AIDE_SERVER_URL to {example}."
    ),
    "overridden": "Note: {source} sets another server for pip-aide, and counts more: {url}",
    "logged_out": "The entry for {origin} was removed from {path}.",
    "nothing_to_remove": "There is no entry for {origin} in {path}. Nothing was changed.",
    "not_logged_in": "Not logged in to {origin}: there is no token for it in {path}. Run: "
    "pip-aide-login {origin}",
    "token_of_other": (
        "Not logged in to {origin}: the token for {host} in {path} is that of {old}. netrc files "
        "know hosts but no ports."
    ),
    "status_gateway": "Gateway",
    "status_machine": "Machine",
    "status_plan": "Plan",
    "status_rate": "Rate",
    "rate": "{requests} in {window}, up to {burst} at once; {remaining} left now",
    "status_spend": "Spent today",
    "spend": "{today} of {cap} USD",
    "status_reset": "Resets",
    "reset": "{at} (in {wait})",
    # Usage
    "url_missing": "Which gateway? Give its address, such as https://pip-aide.example.com.",
    "url_wrong": "This is no address of a gateway: {url}. It looks like "
    "https://pip-aide.example.com.",
    "url_without_scheme": "The address needs https:// in front: https://{url}",
    "url_with_userinfo": "The address must hold no name and no password.",
    "url_with_path": "Give the address without anything behind the host: {origin}",
    "url_without_tls": (
        "http:// would send the token in the clear. Use https://{host}; only a gateway on this very "
        "machine may be without."
    ),
    "url_named_default": (
        "A host named 'default' cannot be stored: in a netrc file that means every host."
    ),
    "timeout_wrong": "--timeout is a number of seconds from 1 to 600.",
    "options_conflict": "{one} and {other} do not go together.",
    # The network
    "timed_out": "{origin} has not answered within {seconds} s. Is the address right? --timeout "
    "gives it longer.",
    "unreachable": "{origin} cannot be reached: {reason}. Check the address and the network.",
    "certificate_wrong": (
        "The certificate of {host} does not hold: {reason}. Nothing was sent. If your network has a "
        "certificate authority of its own, name its file in SSL_CERT_FILE; also check the clock."
    ),
    # Answers
    "redirected": (
        "The gateway answers with a redirect to {target}, which is not followed. If that is where "
        "the gateway is, use its address."
    ),
    "not_a_gateway": (
        "The answer (HTTP {status}, {media_type}) is not one of a pip-aide-gateway. Check the "
        "address; perhaps a proxy answered."
    ),
    "not_json": "The gateway's answer is not JSON as it should be. Tell its operator.",
    "answer_too_long": "The gateway's answer is longer than {limit} bytes and was not read. Is "
    "this the right address?",
    "answer_odd": "'{name}' in the gateway's answer is missing or has a wrong form, so nothing was "
    "stored. Tell its operator, or get a newer pip-aide-login.",
    "difficulty_absurd": (
        "The gateway demands work of difficulty {difficulty}; more than {most} would take hours, and "
        "is refused. Tell its operator."
    ),
    "work_too_slow": "Work of difficulty {difficulty} was not done before the challenge expired. "
    "Try again later: the difficulty falls when fewer machines enrol.",
    "refused": "The gateway refuses: {said}.",
    "refused_for_now": "The gateway refuses for now: {said}. Try again in {wait}.",
    "no_enrolment": "The gateway gives out no tokens this way: {said}. Ask its operator for one.",
    "token_refused": "The gateway refuses the token that is stored: {said}. To get a new one: "
    "pip-aide-login {origin}",
    # Files
    "netrc_variable_empty": "The variable NETRC is set but empty, so that pip-aide would find no "
    "token anywhere. Unset it.",
    "netrc_broken": (
        "{path} cannot be read by Python, line {line}, so pip-aide would ignore all of it. Correct "
        "the file first; nothing was changed. (A comment is understood best as the words behind '# ' "
        "in a line that directly follows an entry.)"
    ),
    "netrc_unclear": "{path} is written in a way that cannot be changed safely; it was left as it "
    "is. Use --print and add the entry by hand.",
    "entry_foreign": (
        "{path} already holds an entry for {host} that this program did not write. pip-aide can use "
        "only one. --replace overwrites it; --print shows the new token without storing it."
    ),
    "entry_foreign_kept": "{path} holds an entry for {host} that this program did not write. It "
    "was left; remove it by hand.",
    "entry_of_other": "The entry in {path} is that of {origin}. It was left; to remove it: "
    "pip-aide-login --logout {origin}",
    "not_a_file": "{path} is not a file.",
    "file_too_long": "{path} is longer than {limit} bytes. It was left as it is.",
    "file_unusable": "{path} cannot be used: {reason}.",
    "locked": "Something else keeps changing {path}. Try again.",
    "conf_broken": "{path} cannot be read, line {line}. Correct it first; nothing was changed.",
    "conf_unclear": "{path} is written in a way that cannot be changed safely; it was left as it "
    "is. Set server_url = {url} in its section [{section}] by hand.",
    # Ends
    "error": "pip-aide-login: {text}",
    "interrupted": "Stopped. Nothing was stored.",
    # Time
    "seconds": "{n} s",
    "minutes": "{n} min",
    "hours": "{n} h",
    "days": "{n} d",
}

CHINESE: Dict[str, str] = {
    "help": "为本机从 pip-aide-gateway 领取令牌，并存到 pip-aide 能找到的地方。只需一两秒的计算，不需要账号。",
    "help_url": "网关地址，例如 https://pip-aide.example.com；与 --status、--logout 同用时可以省略",
    "help_print": "以 JSON 打印凭据，不保存",
    "help_status": "显示已保存令牌的限额和余量",
    "help_logout": "只删除本程序为该网关写入的条目",
    "help_configure": "同时在 {path} 中让 pip-aide 使用该网关",
    "help_replace": "覆盖该主机已有的、并非本程序写入的条目",
    "help_timeout": "每个请求的总时限，单位秒（默认 30）",
    "help_lang": "显示语言（默认跟随系统）",
    "help_version": "显示版本并退出",
    "help_help": "显示本帮助并退出",
    "help_epilog": (
        "退出码：0 完成；1 未登录或令牌被拒；2 用法错误；3 无法连接网关；4 网关拒绝；"
        "5 网关的回答不合规；6 文件不可用；130 按了 Ctrl-C"
    ),
    "working": "工作量证明",
    "pausing": "网关要求等待 {seconds} 秒。",
    "logged_in": "已登录 {origin}，机器号 {machine}，令牌有效期至 {until}。",
    "stored": "令牌已存入 {path}。",
    "already_used": "pip-aide 使用的就是该网关。",
    "configured": "已在 {path} 中让 pip-aide 使用该网关。",
    "how_to_use": "在 pip-aide 中使用：",
    "or_configure": "或者一次设好：pip-aide-login --configure {origin}",
    "mode_fixed": "此前其他用户可以读取 {path}，现已改为仅本人可读写（0600）。",
    "mode_wide": "其他用户可以读取 {path} 及其中的令牌，请执行：chmod 600 {path}",
    "other_gateway": (
        "注意：netrc 文件只认主机，不认端口。{old} 的令牌已被替换：{host} 上的多个网关，pip-aide 用这种方式"
        "只能使用其中一个。其他网关请用 --print 取得令牌，并把 PIP_AIDE_SERVER_URL 设为 {example}。"
    ),
    "overridden": "注意：{source} 为 pip-aide 设置了另一个服务器，且优先级更高：{url}",
    "logged_out": "已从 {path} 删除 {origin} 的条目。",
    "nothing_to_remove": "{path} 中没有 {origin} 的条目，未作改动。",
    "not_logged_in": "未登录 {origin}：{path} 中没有它的令牌。请执行：pip-aide-login {origin}",
    "token_of_other": (
        "未登录 {origin}：{path} 中 {host} 的令牌属于 {old}。netrc 文件只认主机，不认端口。"
    ),
    "status_gateway": "网关",
    "status_machine": "机器号",
    "status_plan": "套餐",
    "status_rate": "速率",
    "rate": "每 {window} {requests} 次，同时最多 {burst} 次；现余 {remaining} 次",
    "status_spend": "今日花费",
    "spend": "{today} / {cap} 美元",
    "status_reset": "重置时间",
    "reset": "{at}（{wait}后）",
    "url_missing": "请给出网关地址，例如 https://pip-aide.example.com。",
    "url_wrong": "这不是网关地址：{url}。正确的形式如 https://pip-aide.example.com。",
    "url_without_scheme": "地址前面要加 https://：https://{url}",
    "url_with_userinfo": "地址中不能带用户名或密码。",
    "url_with_path": "地址在主机之后不能再有内容：{origin}",
    "url_without_tls": "http:// 会以明文发送令牌，请用 https://{host}；只有本机上的网关可以不用。",
    "url_named_default": "名为 default 的主机无法保存：在 netrc 文件中它表示所有主机。",
    "timeout_wrong": "--timeout 是 1 到 600 之间的秒数。",
    "options_conflict": "{one} 与 {other} 不能同时使用。",
    "timed_out": "{origin} 在 {seconds} 秒内没有回答。地址对吗？可用 --timeout 延长时限。",
    "unreachable": "无法连接 {origin}：{reason}。请检查地址和网络。",
    "certificate_wrong": (
        "{host} 的证书无效：{reason}。没有发送任何内容。如果您的网络有自己的证书颁发机构，"
        "请用 SSL_CERT_FILE 指明其文件；也请检查系统时间。"
    ),
    "redirected": "网关要求跳转到 {target}，未予跟随。如果网关确在那里，请使用那个地址。",
    "not_a_gateway": (
        "这个回答（HTTP {status}，{media_type}）不是 pip-aide-gateway 的。请检查地址；也可能是代理作的回答。"
    ),
    "not_json": "网关的回答不是应有的 JSON。请告知其管理员。",
    "answer_too_long": "网关的回答超过 {limit} 字节，未予读取。地址对吗？",
    "answer_odd": "网关的回答中缺少“{name}”或其形式不对，因此没有保存。请告知其管理员，或更新 pip-aide-login。",
    "difficulty_absurd": "网关要求的难度是 {difficulty}；超过 {most} 要算几个小时，予以拒绝。请告知其管理员。",
    "work_too_slow": "难度 {difficulty} 的计算未能在题目过期前完成。请稍后再试：登记的机器少了，难度会下降。",
    "refused": "网关拒绝：{said}。",
    "refused_for_now": "网关暂时拒绝：{said}。请在 {wait}后再试。",
    "no_enrolment": "网关不以这种方式发放令牌：{said}。请向其管理员索取。",
    "token_refused": "网关拒绝已保存的令牌：{said}。领取新令牌：pip-aide-login {origin}",
    "netrc_variable_empty": "环境变量 NETRC 已设置但为空，pip-aide 会找不到任何令牌。请取消该变量。",
    "netrc_broken": (
        "Python 无法读取 {path}（第 {line} 行），因此 pip-aide 会忽略整个文件。请先改正；文件未作改动。"
        "（注释最好写成紧跟在条目之后、以“# ”开头的一行。）"
    ),
    "netrc_unclear": "{path} 的写法无法安全地修改，已保持原样。请用 --print 并手工加入条目。",
    "entry_foreign": (
        "{path} 中已有 {host} 的条目，并非本程序写入，而 pip-aide 只能使用一个。--replace 将其覆盖；"
        "--print 只显示新令牌而不保存。"
    ),
    "entry_foreign_kept": "{path} 中 {host} 的条目并非本程序写入，已予保留；请手工删除。",
    "entry_of_other": "{path} 中的条目属于 {origin}，已予保留。要删除它：pip-aide-login --logout {origin}",
    "not_a_file": "{path} 不是文件。",
    "file_too_long": "{path} 超过 {limit} 字节，已保持原样。",
    "file_unusable": "无法使用 {path}：{reason}。",
    "locked": "另有程序在不断修改 {path}，请重试。",
    "conf_broken": "无法读取 {path}（第 {line} 行）。请先改正；文件未作改动。",
    "conf_unclear": "{path} 的写法无法安全地修改，已保持原样。请手工在 [{section}] 一节写入 server_url = {url}。",
    "error": "pip-aide-login：{text}",
    "interrupted": "已停止，没有保存任何内容。",
    "seconds": "{n} 秒",
    "minutes": "{n} 分钟",
    "hours": "{n} 小时",
    "days": "{n} 天",
}

CATALOGS = {"en": ENGLISH, "zh": CHINESE}
UNITS: Tuple[Tuple[str, int], ...] = (("days", 86_400), ("hours", 3600), ("minutes", 60))


class Messages:
    """The sentences of one language."""

    def __init__(self, language: str) -> None:
        self._catalog = CATALOGS[language]

    def __call__(self, key: str, **params: object) -> str:
        return self._catalog[key].format(**params)

    def duration(self, seconds: int) -> str:
        """In the two largest units that it takes, rounded up to the smaller one."""
        for at, (name, length) in enumerate(UNITS):
            if seconds < length:
                continue
            smaller, small = UNITS[at + 1] if at + 1 < len(UNITS) else ("seconds", 1)
            whole = -(-seconds // small) * small
            parts = [self(name, n=whole // length)]
            if whole % length:
                parts.append(self(smaller, n=whole % length // small))
            return " ".join(parts)
        return self("seconds", n=max(0, seconds))


def language(chosen: Optional[str]) -> str:
    """`en` or `zh`: as chosen, as PIP_AIDE_LANG says, or as the system is set."""
    for candidate in (chosen, os.environ.get("PIP_AIDE_LANG", "").lower()):
        if candidate in CATALOGS:
            return str(candidate)
    for variable in ("LC_ALL", "LC_CTYPE", "LANG", "LANGUAGE"):
        value = os.environ.get(variable)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    system = (locale.getlocale()[0] or "").lower()
    return "zh" if system.startswith(("zh", "chinese")) else "en"
