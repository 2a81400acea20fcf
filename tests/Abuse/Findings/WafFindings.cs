using System.Net.Http.Headers;

namespace WebRtcIms.Abuse.Findings;

/// <summary>The authorization server, and how the parts protect what they send and keep: S7, S19, S20, S22 and S23.</summary>
internal static class WafFindings
{
    private const string TokenRequest = "grant_type=client_credentials&scope=stun&aud=turn.webrtcims.local";
    private const string OtherHost = "evil.example";
    private static readonly HttpClient Http = new();

    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S7", RemovedClient),
        new("S19", SecretsWithoutTls),
        new("S20", SecretInTheQuery),
        new("S22", IssuerOfTheRequest),
        new("S23", FilesOfOtherUsers),
    ];

    /// <summary>A client that the settings no longer name asks for a token.</summary>
    private static async Task<Verdict> RemovedClient(Targets targets)
    {
        const string secret = "secret-of-the-partner-1234567890";
        var one = (await targets.OwnAsync()).WafSettings(targets.NewFolder());
        var two = new Dictionary<string, string>(one)
        {
            ["Waf__Clients__1__ClientId"] = "partner",
            ["Waf__Clients__1__ClientSecret"] = secret,
            ["Waf__Clients__1__Audiences__0"] = "turn.webrtcims.local",
        };
        var before = await AskAsync(two);
        var after = await AskAsync(one);
        return Verdict.If(before == 200 && after is 400 or 401,
            $"a client gets {before}, and {after} after it was taken out of the settings");

        static async Task<int> AskAsync(Dictionary<string, string> settings)
        {
            await using var waf = await Part.StartAsync("Waf", settings);
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(waf.Address, "/oauth2/token"))
            {
                Content = new StringContent(TokenRequest, new MediaTypeHeaderValue("application/x-www-form-urlencoded")),
            };
            request.Headers.Authorization = new("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes($"partner:{secret}")));
            using var answer = await Http.SendAsync(request);
            return (int)answer.StatusCode;
        }
    }

    /// <summary>Another machine over plain http, and Redis without TLS, in Production.</summary>
    private static async Task<Verdict> SecretsWithoutTls(Targets targets)
    {
        var own = await targets.OwnAsync();
        (string Part, Dictionary<string, string> Settings, string Key, string Value)[] starts =
        [
            ("Wwsf", own.WwsfSettings(targets.NewFolder()), "services__waf__http__0", "http://waf.internal.example:8081"),
            ("Wwsf", own.WwsfSettings(targets.NewFolder()), "services__ep-cscf__http__0", "http://ep-cscf.internal.example:8084"),
            ("Wwsf", own.WwsfSettings(targets.NewFolder()), "ConnectionStrings__redis", "redis.internal.example:6379,password=x"),
            ("EpCscf", own.EpCscfSettings(), "ConnectionStrings__redis", "redis.internal.example:6379,password=x"),
            ("Turn", own.TurnSettings(Ports.Free()), "ConnectionStrings__redis", "redis.internal.example:6379,password=x"),
            ("Waf", own.WafSettings(targets.NewFolder()), "ConnectionStrings__redis", "redis.internal.example:6379,password=x"),
        ];
        var tried = await Task.WhenAll(starts.Select(async start =>
        {
            var changed = OwnSystem.InProduction(start.Settings);
            changed[start.Key] = start.Value;
            return await StartsAsync(start.Part, changed, start.Key) ? $"{start.Part} with {start.Key}={start.Value.Split(',')[0]}" : null;
        }));
        var started = tried.OfType<string>().ToList();
        return Verdict.If(started.Count == 0, started.Count == 0
            ? $"{starts.Length} starts without TLS to another machine are refused" : $"in Production starts {string.Join(", ", started)}");
    }

    // A refusal for another reason has shown nothing.
    private static async Task<bool> StartsAsync(string part, Dictionary<string, string> settings, string key)
    {
        try
        {
            await using var started = await Part.StartAsync(part, settings);
            return true;
        }
        catch (PartException error) when (error.Message.Contains(
            key.Replace("__", ":", StringComparison.Ordinal), StringComparison.Ordinal))
        {
            return false;
        }
    }

    /// <summary>GET with the password in the query. Development may serve it: the text of 3GPP has it.</summary>
    private static async Task<Verdict> SecretInTheQuery(Targets targets)
    {
        var waf = await InProductionAsync(targets);
        var password = Uri.EscapeDataString((await targets.OwnAsync()).WafSettings("")["Waf__Clients__0__ClientSecret"]);
        using var answer = await Http.GetAsync(
            new Uri(waf.Address, $"/oauth2/token?{TokenRequest}&client_id=wwsf&client_password={password}"));
        return Verdict.If(!answer.IsSuccessStatusCode, $"GET /oauth2/token in Production is answered with {(int)answer.StatusCode}");
    }

    /// <summary>Metadata with the Host of the request, and a start without a name for this server.</summary>
    private static async Task<Verdict> IssuerOfTheRequest(Targets targets)
    {
        var metadata = await ReadAsync(await InProductionAsync(targets));
        var settings = OwnSystem.InProduction((await targets.OwnAsync()).WafSettings(targets.NewFolder()));
        settings["AllowedHosts"] = $"localhost;{OtherHost}";
        settings.Remove("Waf__Issuer");
        var withoutName = "does not start";
        try
        {
            await using var waf = await Part.StartAsync("Waf", settings);
            withoutName = (await ReadAsync(waf)).Contains(OtherHost, StringComparison.Ordinal) ? "says what Host says" : "starts";
        }
        catch (PartException error) when (error.Message.Contains("Waf:Issuer", StringComparison.Ordinal))
        {
            // It needs Waf:Issuer.
        }

        var hasKeys = metadata.Contains("jwks_uri", StringComparison.Ordinal);
        return Verdict.All(
            Verdict.If(!metadata.Contains(OtherHost, StringComparison.Ordinal), "metadata has the issuer of the settings"),
            Verdict.If(!hasKeys, $"metadata {(hasKeys ? "names" : "does not name")} keys that sign nothing (jwks_uri)"),
            Verdict.If(withoutName == "does not start", $"without Waf:Issuer the WAF {withoutName} in Production"));

        static async Task<string> ReadAsync(Part waf)
        {
            using var page = new Page(waf.Address);
            return (await page.GetAsync("/.well-known/oauth-authorization-server", ("Host", OtherHost))).Body;
        }
    }

    private static async Task<Part> InProductionAsync(Targets targets)
    {
        var settings = OwnSystem.InProduction((await targets.OwnAsync()).WafSettings(targets.NewFolder()));
        // The other name is for the metadata: a request for it must arrive.
        settings["AllowedHosts"] = $"localhost;{OtherHost}";
        return await targets.SharedAsync("WAF in Production", () => Part.StartAsync("Waf", settings));
    }

    /// <summary>Stores and keys are for the user of the program only, in a folder that another program has made readable.</summary>
    private static async Task<Verdict> FilesOfOtherUsers(Targets targets)
    {
        if (OperatingSystem.IsWindows()) return Verdict.NotTried("files have no mode on Windows");
        var folder = (await targets.OwnAsync()).Folder;
        List<string> open = [.. Readable(folder, folder)];
        // Of an application that this repository runs.
        var data = Repository.PathOf("AppHost/.data");
        if (Directory.Exists(data)) open.AddRange(Readable(data, data));
        return Verdict.If(open.Count == 0, open.Count == 0
            ? "no store and no key is readable by other users"
            : $"other users of the machine can read {string.Join(", ", open.Distinct())}");
    }

    // A private folder hides what is in it.
    private static IEnumerable<string> Readable(string root, string folder)
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        if (OperatingSystem.IsWindows()) yield break;
        var isOurs = folder != root || root.EndsWith(".data", StringComparison.Ordinal);
        if (isOurs && (File.GetUnixFileMode(folder) & others) == 0) yield break;
        foreach (var file in Directory.GetFiles(folder))
            if ((File.GetUnixFileMode(file) & others) != 0) yield return Path.GetFileName(file);
        foreach (var file in Directory.GetDirectories(folder).SelectMany(inner => Readable(root, inner))) yield return file;
    }
}
