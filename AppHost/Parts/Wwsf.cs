namespace WebRtcIms.AppHost;

internal static class Wwsf
{
    // Users that the WWSF may register: guests, and the two demo users.
    private static readonly string[] Users = ["guest-*", "alice", "bob"];

    /// <summary>
    /// Adds the WWSF with a store of its own. It registers itself as an OAuth client of <paramref name="waf"/>, for tokens of
    /// <paramref name="turn"/> and for registration, with the generated parameter <c>{name}-initial-access-token</c>.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddWwsf(
        this IDistributedApplicationBuilder builder, string name, IResourceBuilder<ProjectResource> waf,
        IReadOnlyList<IResourceBuilder<ProjectResource>> turn)
    {
        var server = turn[0].Get<TurnServerAnnotation>();
        var token = builder.AddParameter(
                $"{name}-initial-access-token", new GenerateParameterDefault { MinLength = 43, Special = false }, secret: true,
                persist: true)
            .WithDescription("Initial access token with which the WWSF registers itself at the WAF.");
        waf.WithInitialAccessToken(name, token, server.ServerName, Users.Select(user => $"sip:{user}@{Ims.Domain}"));

        var wwsf = builder.AddService<Projects.Wwsf>(name);
        foreach (var (number, node) in turn.Select(node => node.Get<TurnServerAnnotation>()).Index())
        {
            wwsf.WithEnvironment($"Wwsf__TurnUris__{2 * number}", node.Uri("udp"))
                .WithEnvironment($"Wwsf__TurnUris__{2 * number + 1}", node.Uri("tcp"));
        }

        // Replicas read the folder of the cookie keys at the start. The WAF keeps its own there, and has made them when it is healthy.
        var afterWaf = waf.Resource.GetReplicaCount() > 1 ? wwsf.WaitFor(waf) : wwsf.WaitForStart(waf);
        return afterWaf.WithReference(waf)
            .WithStore("wwsf")
            .WithEnvironment("Wwsf__HomeDomain", Ims.Domain)
            .WithEnvironment("Wwsf__TurnServerName", server.ServerName)
            .WithEnvironment("Wwsf__Waf__InitialAccessToken", token)
            .WithIconName("PeopleTeam");
    }

    /// <summary>Tells the WWSF where browsers have the page of <paramref name="gateway"/>: passkeys belong to these origins.</summary>
    public static IResourceBuilder<ProjectResource> WithPageOf(
        this IResourceBuilder<ProjectResource> wwsf, IResourceBuilder<ProjectResource> gateway)
    {
        foreach (var (number, origin) in gateway.Get<PageAnnotation>().Origins.Index())
            wwsf.WithEnvironment($"Wwsf__PublicOrigin__{number}", origin);
        return wwsf;
    }

    /// <summary>In Development, the stage of the page can show what TURN found in a token, and stop these parts for some seconds.</summary>
    public static IResourceBuilder<ProjectResource> WithStage(
        this IResourceBuilder<ProjectResource> wwsf, IReadOnlyList<IResourceBuilder<ProjectResource>> turn,
        IEnumerable<IReadOnlyList<IResourceBuilder<IResource>>> parts)
    {
        if (!wwsf.ApplicationBuilder.ExecutionContext.IsRunMode) return wwsf;
        wwsf.WithEnvironment("Wwsf__Stage__OtherTurnServerName", TurnServerAnnotation.OtherServerName);
        foreach (var (number, server) in turn.Index())
            wwsf.WithEnvironment($"Wwsf__Stage__TurnManagement__{number}", server.GetEndpoint("http"));
        return PartBreaker.AddTo(wwsf, parts);
    }

    // The eP-CSCF knows the WWSF by its name here, not by the client id that the WAF assigns.
    private static IResourceBuilder<ProjectResource> WithInitialAccessToken(
        this IResourceBuilder<ProjectResource> waf, string wwsf, IResourceBuilder<ParameterResource> token, ParameterResource audience,
        IEnumerable<string> impus)
    {
        const string settings = "Waf__InitialAccessTokens__0__";
        waf.WithEnvironment(settings + "Name", wwsf)
            .WithEnvironment(settings + "Token", token)
            .WithEnvironment(settings + "Wwsf", wwsf)
            .WithEnvironment(settings + "Audiences__0", audience);
        if (waf.ApplicationBuilder.ExecutionContext.IsRunMode)
            waf.WithEnvironment(settings + "Audiences__1", TurnServerAnnotation.OtherServerName);
        foreach (var (number, impu) in impus.Index()) waf.WithEnvironment($"{settings}Impus__{number}", impu);
        // A developer may delete the store of the WWSF at any time, and that of the WAF stays.
        return waf.ApplicationBuilder.ExecutionContext.IsRunMode
            ? waf.WithEnvironment(settings + "Uses", "1000").WithEnvironment(settings + "Lifetime", "3650.00:00:00")
            : waf;
    }
}
