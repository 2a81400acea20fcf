namespace WebRtcIms.Settings.Tests;

/// <summary>Malformed values: part, setting, value, and what the message must name.</summary>
public static class Malformed
{
    /// <summary>A part of values that no message may show.</summary>
    public const string Secret = "s3cr3t-0f-th3-t3sts";

    private const string Folder = "{folder}";

    public static TheoryData<string, string, string, string> All
    {
        get
        {
            TheoryData<string, string, string, string> all = [];
            foreach (var (part, setting, value) in OfTypes().Concat(OfTexts()).Concat(OfFrameworks()))
                all.Add(part, setting, value, Named(setting));
            return all;
        }
    }

    /// <summary>Settings without which another one has no effect.</summary>
    public static IEnumerable<(string Name, string Value)> With(string setting)
    {
        (string, string)[] settings = setting switch
        {
            _ when setting.StartsWith("Wwsf:OpenIdConnect:", StringComparison.Ordinal) =>
            [
                ("Wwsf:OpenIdConnect:Authority", "https://login.example"), ("Wwsf:OpenIdConnect:ClientId", "x"),
                ("Wwsf:OpenIdConnect:ClientSecret", "x"),
            ],
            "Wwsf:Waf:KeyFile" => [("Wwsf:Waf:ClientSecret", ""), ("Wwsf:Waf:Issuer", "https://waf.example/")],
            "Waf:Clients:0:Jwks" => [("Waf:Clients:0:ClientSecret", ""), ("Waf:Issuer", "https://waf.example/")],
            "Waf:TurnServers:0:Key" => [("Waf:TurnServers:0:Kid", "k1")],
            "Turn:KeysFile" => [("Turn:Keys:0:Kid", "k1")],

            "http_ports" or "https_ports" => [("urls", "")],
            "WicWeb:KeyDirectory" =>
            [
                ("WicWeb:Flow", "OpenIdConnect"), ("WicWeb:FlowProvider:Authority", "https://login.example"),
                ("WicWeb:FlowProvider:ClientId", "x"), ("WicWeb:FlowProvider:ClientSecret", "x"), ("WicWeb:FlowProvider:Value", "x"),
            ],
            "WicWeb:PublicCertificate" => [("WicWeb:PublicUrl", "https://127.0.0.1:8443")],
            "Waf:ImsRegistration:Key" =>
            [
                ("Waf:ImsRegistration:Domain", "ims.test"), ("Waf:ImsRegistration:Identity", "waf"), ("Waf:ImsRegistration:Kid", "r1"),
            ],
            "OTEL_TRACES_SAMPLER_ARG" => [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")],
            _ => [],
        };
        return settings;
    }

    public static string Expand(string value, DirectoryInfo folder) => value.Replace(Folder, folder.FullName, StringComparison.Ordinal);

    /// <summary>Each setting of each part that is not a text, with a value of another kind.</summary>
    private static IEnumerable<(string Part, string Setting, string Value)> OfTypes() =>
        from part in Part.All
        from setting in SettingProperty.Of(part)
        from value in ValuesOfOtherKinds(setting.Type)
        select (part.Name, setting.Name, value);

    private static string[] ValuesOfOtherKinds(Type type) =>
        type == typeof(int) || type == typeof(long) ? ["many", "99999999999999999999"]
        : type == typeof(bool) ? ["perhaps"]
        : type == typeof(TimeSpan) || type == typeof(DateTimeOffset) ? ["soon"]
        : type.IsEnum ? ["Sideways"]
        : [];

    private static IEnumerable<(string Part, string Setting, string Value)> OfTexts()
    {
        string[] texts =
        [
            "Turn|Turn:ServerName|", "Turn|Turn:Realm|", "Turn|Turn:Keys:0:Kid|a~b", "Turn|Turn:Keys:0:Key|" + Secret,
            "Turn|Turn:Keys:0:Algorithm|ROT13", "Turn|Turn:Keys|" + Secret, "Turn|Turn:KeysFile|{folder}/none.json",
            "Turn|Turn:KeysFile|{folder}", "Turn|Turn:KeysFile|a\0b", "Turn|Turn:FleetKey|" + Secret, "Turn|Turn:SharedSecret|short",
            "Turn|Turn:StaticUsers:0:Name|", "Turn|Turn:ListenAddress|localhost", "Turn|Turn:ListenAddress|127.0.0.1:3478",
            "Turn|Turn:ListenAddress|127.0.0.1;::1", "Turn|Turn:ListenAddress|", "Turn|Turn:ListenAddress|,",
            "Turn|Turn:RelayAddress|10.0.0.0/8", "Turn|Turn:RelayAddress|x", "Turn|Turn:PublicAddress|1.2.3.4.5",
            "Turn|Turn:AllowedPeers:0|everything", "Turn|Turn:AllowedPeers:0|10.0.0.1-10.0.0.9", "Turn|Turn:DeniedPeers:0|10.0.0.0/33",
            "Turn|Turn:Drain:AlternateServer|turn.example", "Turn|Turn:Drain:AlternateServer|192.0.2.7:99999",
            "Turn|Turn:RelayPorts:Min|80", "Turn|Turn:TlsCertificate|{folder}/none.pem", "Turn|Turn:TlsCertificate|{folder}",
            "Turn|Turn:TlsCertificate|a\0b", "Turn|Turn:TlsKey|{folder}/none.pem", "Turn|Turn:Nonsense|1", "Turn|Turn:Quotas|many",
            "Turn|Turn:AllowedPeers|10.0.0.0/8", "Turn|Turn:KeyDelivery:Address|http://waf.example",
            "Turn|Turn:KeyDelivery:Address|waf.example:8444", "Turn|Turn:KeyDelivery:Address|https://x:" + Secret + "@waf.example",
            "Turn|Turn:KeyDelivery:Address|https://waf.example/path", "Turn|Turn:KeyDelivery:Certificate|{folder}/none.pem",
            "Turn|Turn:KeyDelivery:Authority|{folder}/none.pem", "Waf|Waf:TurnServers:0:Name|", "Waf|Waf:TurnServers:0:Kid|a~b",
            "Waf|Waf:TurnServers:0:Key|" + Secret, "Waf|Waf:TurnServers:0:Algorithm|ROT13", "Waf|Waf:TurnServers:0:CertificateSha256|12:34",
            "Waf|Waf:Clients:0:ClientId|", "Waf|Waf:Clients:0:ClientSecret|short", "Waf|Waf:Clients:0:Jwks|{",
            "Waf|Waf:Clients:0:Jwks|{\"keys\":[{\"kty\":\"oct\",\"k\":\"" + Secret + "\"}]}", "Waf|Waf:Clients:1:CertificateSha256|12",
            "Waf|Waf:Clients:0:Audiences:0|nowhere", "Waf|Waf:Clients:0:Impus:0|alice", "Waf|Waf:InitialAccessTokens:0:Token|short",
            "Waf|Waf:InitialAccessTokens:0:Scopes:0|openid", "Waf|Waf:Issuer|waf.example", "Waf|Waf:Issuer|ftp://waf.example",
            "Waf|Waf:Issuer|https://waf.example/?a=b", "Waf|Waf:Issuer|https://waf.example:99999/",
            "Waf|Waf:MutualTlsAddress|http://waf.example:8444/", "Waf|Waf:MutualTlsAddress|waf.example", "Waf|Waf:KnownProxies:0|gateway",
            "Waf|Waf:KnownProxies:0|10.0.0.0/33", "Waf|Waf:KeyDirectory|/dev/null/keys", "Waf|Waf:KeyDirectory|a\0b",
            "Waf|Waf:Admin:Url|localhost:8085", "Waf|Waf:Admin:Url|http://", "Waf|Waf:Admin:Url|http://localhost:99999",
            "Waf|Waf:Admin:Url|http://0.0.0.0:8085", "Waf|Waf:Admin:Operators:0:Token|" + Secret, "Waf|Waf:ImsRegistration:Key|" + Secret,
            "Waf|Waf:Nonsense|1", "Wwsf|Wwsf:TurnServerName|", "Wwsf|Wwsf:TurnUris:0|stun:example.com",
            "Wwsf|Wwsf:TurnUris:0|turn:host:99999", "Wwsf|Wwsf:TurnUris:0|turn:ho st", "Wwsf|Wwsf:Waf:ClientSecret|",
            "Wwsf|Wwsf:Waf:ClientId|", "Wwsf|Wwsf:Waf:KeyFile|{folder}/none.pem", "Wwsf|Wwsf:PublicOrigin:0|phone.example.com",
            "Wwsf|Wwsf:PublicOrigin:0|https://phone.example.com/path",
            "Wwsf|Wwsf:PublicOrigin:0|https://x:" + Secret + "@phone.example.com", "Wwsf|Wwsf:PublicOrigin:0|http://phone.example.com",
            "Wwsf|Wwsf:EpCscf:SessionsKey|short", "Wwsf|Wwsf:HomeDomain|ims example", "Wwsf|Wwsf:Pool:Name|guest-",
            "Wwsf|Wwsf:Pool:DisplayName|", "Wwsf|Wwsf:KnownProxies:0|gateway", "Wwsf|Wwsf:OpenIdConnect:Authority|login.example",
            "Wwsf|Wwsf:OpenIdConnect:Authority|http://login.example", "Wwsf|Wwsf:OpenIdConnect:Authority|https://x:" + Secret + "@",
            "Wwsf|Wwsf:OpenIdConnect:ClientId|", "Wwsf|Wwsf:OpenIdConnect:ClientSecret|", "Wwsf|Wwsf:Nonsense|1",
            "Wwsf|Wwsf:KeyDirectory|/dev/null/keys", "Wwsf|Wwsf:KeyDirectory|a\0b",
            "EpCscf|EpCscf:HomeDomain|no domain", "EpCscf|EpCscf:HomeDomain|127.0.0.1", "EpCscf|EpCscf:Waf|",
            "EpCscf|EpCscf:AuthorizationServer|http://waf.example", "EpCscf|EpCscf:AuthorizationServer|waf.example",
            "EpCscf|EpCscf:TokenKeys:0:Kid|", "EpCscf|EpCscf:TokenKeys:0:Key|" + Secret, "EpCscf|EpCscf:FlowTokenKey|" + Secret,
            "EpCscf|EpCscf:SessionsKeys:0|short", "EpCscf|EpCscf:KnownProxies:0|gateway", "EpCscf|EpCscf:Subscribers:0:Impus:0|alice",
            "EpCscf|EpCscf:Pools:0:Name|guest-", "EpCscf|EpCscf:AllowedOrigins:0|phone.example.com",
            "EpCscf|EpCscf:AllowedOrigins:0|https://", "EpCscf|EpCscf:AllowedOrigins:0|https://a.example/path",
            "EpCscf|EpCscf:KeyDelivery:Address|http://waf.example", "EpCscf|EpCscf:Nonsense|1", "FlowView|FlowView:KnownProxies:0|gateway",
            "FlowView|FlowView:TraceUrl|http://localhost/traces", "FlowView|FlowView:TraceUrl|ftp://x/{trace_id}",
            "FlowView|FlowView:ApiKey|short", "FlowView|FlowView:Endpoint|localhost:4318", "FlowView|FlowView:Endpoint|http://",
            "FlowView|FlowView:Endpoint|http://x:" + Secret + "@localhost:99999", "FlowView|FlowView:Nonsense|1",
            "WicWeb|WicWeb:PublicUrl|localhost:8443", "WicWeb|WicWeb:PublicUrl|http://localhost:8443",
            "WicWeb|WicWeb:PublicUrl|https://localhost:99999", "WicWeb|WicWeb:PublicUrl|https://",
            "WicWeb|WicWeb:PublicCertificate|{folder}/none.pfx", "WicWeb|WicWeb:FlowToken|short", "WicWeb|WicWeb:KnownProxies:0|gateway",
            "WicWeb|WicWeb:KeyDirectory|/dev/null/keys", "WicWeb|WicWeb:KeyDirectory|a\0b", "WicWeb|WicWeb:Nonsense|1",
            "WicWeb|FlowView:Endpoint|nonsense", "Turn|FlowView:Endpoint|nonsense", "Waf|FlowView:Endpoint|ftp://localhost",
            "Wwsf|FlowView:Endpoint|http://x:" + Secret + "@localhost:99999",
        ];
        return texts.Select(Split);
    }

    /// <summary>Settings of .NET, of Redis, of the stores and of telemetry, which any part may have.</summary>
    private static IEnumerable<(string Part, string Setting, string Value)> OfFrameworks()
    {
        string[] everywhere =
        [
            "urls|http://127.0.0.1:99999", "ConnectionStrings:redis|127.0.0.1:6379,ssl=maybe", "OTEL_EXPORTER_OTLP_ENDPOINT|collector:4317",
            "Prometheus:Port|many", "Transport:Encryption|Sometimes", "AllowedHosts|*", "Logging:LogLevel:Default|Loud",
        ];
        string[] texts =
        [
            "FlowView|urls|localhost:8080", "FlowView|urls|http://", "FlowView|urls|ftp://localhost:8080",
            "FlowView|urls|http://127.0.0.1:x", "FlowView|urls|http://127.0.0.300:8080", "FlowView|urls|http://[::1:8080",
            "FlowView|urls|http://127.0.0.1:0;nonsense", "FlowView|urls|http://192.0.2.77:8080", "FlowView|urls|http://127.0.0.1:0/path",
            "FlowView|urls|http://x:" + Secret + "@127.0.0.1:8080", "Turn|urls|localhost", "Turn|urls|ftp://localhost:8083",
            "Turn|urls|http://[::", "Turn|urls|http://127.0.0.1:x", "FlowView|http_ports|x", "FlowView|http_ports|8080,8081",
            "FlowView|http_ports|70000", "FlowView|https_ports|x", "Turn|http_ports|x", "FlowView|Kestrel:Endpoints:A:Url|nonsense",
            "FlowView|Kestrel:Endpoints:A:Url|http://127.0.0.1:99999", "FlowView|Kestrel:Endpoints:A:Protocols|Http9",
            "FlowView|Kestrel:Certificates:Default:Path|{folder}/none.pem",
            "FlowView|Kestrel:Certificates:Default:KeyPath|{folder}/none.pem", "FlowView|Kestrel:Certificates:Default:Password|" + Secret,
            "FlowView|OTEL_EXPORTER_OTLP_ENDPOINT|nonsense", "FlowView|OTEL_EXPORTER_OTLP_ENDPOINT|http://",
            "FlowView|OTEL_EXPORTER_OTLP_ENDPOINT|ftp://collector", "FlowView|OTEL_EXPORTER_OTLP_ENDPOINT|http://127.0.0.1:99999",
            "FlowView|OTEL_EXPORTER_OTLP_ENDPOINT|http://x:" + Secret + "@127.0.0.1:x",
            "FlowView|OTEL_EXPORTER_OTLP_TRACES_ENDPOINT|nonsense", "FlowView|OTEL_EXPORTER_OTLP_METRICS_ENDPOINT|nonsense",
            "FlowView|OTEL_EXPORTER_OTLP_LOGS_ENDPOINT|collector:4317", "FlowView|OTEL_EXPORTER_OTLP_PROTOCOL|http/json",
            "FlowView|OTEL_EXPORTER_OTLP_TIMEOUT|soon", "FlowView|OTEL_EXPORTER_OTLP_HEADERS|" + Secret,
            "FlowView|OTEL_EXPORTER_OTLP_HEADERS|a=b," + Secret, "FlowView|OTEL_BSP_SCHEDULE_DELAY|soon",
            "FlowView|OTEL_BSP_MAX_QUEUE_SIZE|-1", "FlowView|OTEL_BLRP_SCHEDULE_DELAY|soon", "FlowView|OTEL_METRIC_EXPORT_INTERVAL|soon",
            "FlowView|OTEL_TRACES_SAMPLER|sometimes", "FlowView|OTEL_TRACES_SAMPLER_ARG|2", "FlowView|OTEL_TRACES_SAMPLER_ARG|x",
            "FlowView|OTEL_RESOURCE_ATTRIBUTES|broken", "FlowView|Prometheus:Port|0", "FlowView|Prometheus:Port|70000",
            "FlowView|Logging:Console:LogLevel:Default|Loud", "FlowView|AllowedHosts|a b", "FlowView|AllowedHosts|phone.example.com:x",
            "FlowView|AllowedHosts|https://", "FlowView|AllowedHosts|**.example.com", "FlowView|contentRoot|{folder}/none",
            "Wwsf|services:waf:http:0|http://", "Wwsf|services:waf:http:0|no address", "Wwsf|services:waf:http:0|http://waf:99999",
            "Wwsf|services:ep-cscf:https:0|ftp://ep-cscf", "WicWeb|services:wwsf:http:0|http://x:" + Secret + "@wwsf:x",
            "WicWeb|services:ep-cscf:http:0|[::1", "Turn|ConnectionStrings:redis|127.0.0.1:x",
            "Turn|ConnectionStrings:redis|127.0.0.1:99999", "Turn|ConnectionStrings:redis|:6379", "Turn|ConnectionStrings:redis|,ssl=true",
            "Turn|ConnectionStrings:redis|a b:6379", "Turn|ConnectionStrings:redis|http://127.0.0.1:6379",
            "Turn|ConnectionStrings:redis|redis://:" + Secret + "@127.0.0.1:x", "Turn|ConnectionStrings:redis|redis://",
            "Turn|ConnectionStrings:redis|redis://:" + Secret + "@127.0.0.1:6379/x",
            "Turn|ConnectionStrings:redis|127.0.0.1:6379,password=" + Secret + ",ssl=maybe",
            "EpCscf|ConnectionStrings:redis|127.0.0.1:6379,nonsense=1", "EpCscf|ConnectionStrings:redis|127.0.0.1:6379,asyncTimeout=soon",
            "EpCscf|ConnectionStrings:redis|127.0.0.1:6379,defaultDatabase=x",
            "Waf|ConnectionStrings:redis|127.0.0.1:6379,asyncTimeout=soon", "Wwsf|ConnectionStrings:redis|redis://h:x",
            "Wwsf|ConnectionStrings:redis|127.0.0.1:6379,abortConnect=2", "Wwsf|ConnectionStrings:redis|127.0.0.1:6379,sslProtocols=Tls99",
            "Wwsf|ConnectionStrings:redis|127.0.0.1:6379,asyncTimeout=-5", "Waf|ConnectionStrings:waf|nonsense",
            "Waf|ConnectionStrings:waf|Data Source=", "Waf|ConnectionStrings:waf|Host=db",
            "Waf|ConnectionStrings:waf|Data Source=a.db;Nonsense=1", "Waf|ConnectionStrings:waf|postgres://waf:" + Secret + "@db/waf",
            "Waf|ConnectionStrings:waf|postgresql://waf:" + Secret + "@db/waf",
            "Waf|ConnectionStrings:waf|Host=db;Database=waf;Port=many;Password=" + Secret,
            "Waf|ConnectionStrings:waf|Host=db;Database=waf;SSL Mode=Sometimes;Password=" + Secret,
            "Waf|ConnectionStrings:waf|Host=127.0.0.1;Port=1;Database=waf;Username=waf;Password=" + Secret + ";Timeout=1",
            "Waf|ConnectionStrings:waf|Data Source=/dev/null/x/waf.db", "Waf|ConnectionStrings:waf|Data Source={folder}",
            "Waf|ConnectionStrings:waf|Data Source=a\0b", "Waf|ConnectionStrings:waf|Data Source={folder}/x.db;Mode=Sometimes",
            "Wwsf|ConnectionStrings:wwsf|nonsense", "Wwsf|ConnectionStrings:wwsf|Data Source=", "Wwsf|ConnectionStrings:wwsf|Server=db",
            "Wwsf|ConnectionStrings:wwsf|postgres://x:" + Secret + "@db/wwsf",
            "Wwsf|ConnectionStrings:wwsf|Host=db;Database=wwsf;Timeout=long;Password=" + Secret,
            "Wwsf|ConnectionStrings:wwsf|Data Source={folder}",
        ];
        return everywhere.SelectMany(text => Part.All.Select(part => Split($"{part.Name}|{text}"))).Concat(texts.Select(Split));
    }

    private static (string, string, string) Split(string text)
    {
        var parts = text.Split('|', 3);
        return (parts[0], parts[1], parts[2]);
    }

    private static string Named(string setting) => setting switch
    {
        "urls" => "ASPNETCORE_URLS",
        "http_ports" => "ASPNETCORE_HTTP_PORTS",
        "https_ports" => "ASPNETCORE_HTTPS_PORTS",
        "contentRoot" => "ASPNETCORE_CONTENTROOT",
        // Entries of a list have the name of the list, with or without a number.
        _ when setting.EndsWith(":0", StringComparison.Ordinal) => setting[..^2],
        _ => setting,
    };
}
