<?xml version="1.0" standalone="yes"?>
<flat-profile>
<!-- written for this test, in the shape of wazo_cisco_spa's base.tpl -->
{% if admin_password is defined -%}
<Admin_Passwd>{{ admin_password|e }}</Admin_Passwd>
{% endif -%}
{% if ntp_enabled -%}
<Primary_NTP_Server>{{ ntp_ip }}</Primary_NTP_Server>
{% endif -%}
{% block upgrade_rule -%}
<Upgrade_Rule></Upgrade_Rule>
{% endblock -%}
<Voice_Mail_Number>{{ exten_voicemail }}</Voice_Mail_Number>
{% if '1' in sip_lines -%}
<Station_Name>{{ sip_lines['1']['display_name']|e }}</Station_Name>
{% endif -%}
{{ XX_timezone }}
{% for line_no, line in sip_lines.items() %}
<Line_Enable_{{ line_no }}_>Yes</Line_Enable_{{ line_no }}_>
<Proxy_{{ line_no }}_>{{ XX_proxies[line_no] }}</Proxy_{{ line_no }}_>
<User_ID_{{ line_no }}_>{{ line['username']|e }}</User_ID_{{ line_no }}_>
<Password_{{ line_no }}_>{{ line['password']|e }}</Password_{{ line_no }}_>
<Auth_ID_{{ line_no }}_>{{ line['auth_username']|e }}</Auth_ID_{{ line_no }}_>
{% endfor -%}
<router-configuration>
	<Time_Setup>
		<Time_Server>{{ ntp_ip }}</Time_Server>
	</Time_Setup>
	<Web_Login_Admin_Password>{{ admin_password|d('admin') }}</Web_Login_Admin_Password>
</router-configuration>
</flat-profile>
