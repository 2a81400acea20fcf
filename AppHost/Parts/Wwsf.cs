namespace WebRtcIms.AppHost;

internal static class Wwsf
{
    // Users that the WWSF may register: guests, and the two demo users.
    private static readonly string[] Users = ["guest-*", "alice", "bob"];

    /// <summary>
    /// Adds the WWSF with a store of its own. It is an OAuth client of <paramref name="waf"/>, for tokens of <paramref name="turn"/> and
    /// for registration, with the generated parameter <c>{name}-client-secret</c>.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddWwsf(
        this IDistributedApplicationBuilder builder, string name, IResourceBuilder<ProjectResource> waf,
        IResourceBuilder<ProjectResource> turn)
    {
        var server = turn.Get<TurnServerAnnotation>();
        var secret = builder.AddParameter(
                $"{name}-client-secret", new GenerateParameterDefault { MinLength = 43, Special = false }, secret: true, persist: true)
            .WithDescription("Client secret of the WWSF at the WAF.");
        waf.WithClient(name, secret, server.ServerName, Users.Select(user => $"sip:{user}@{Ims.Domain}"));

        return builder.AddService<Projects.Wwsf>(name)
            .WithReference(waf).WaitForStart(waf)
            .WithStore("wwsf")
            .WithEnvironment("Wwsf__HomeDomain", Ims.Domain)
            .WithEnvironment("Wwsf__TurnServerName", server.ServerName)
            .WithEnvironment("Wwsf__TurnUris__0", server.Uri("udp"))
            .WithEnvironment("Wwsf__TurnUris__1", server.Uri("tcp"))
            .WithEnvironment("Wwsf__Waf__ClientId", name)
            .WithEnvironment("Wwsf__Waf__ClientSecret", secret)
            .WithIconName("PeopleTeam");
    }

    private static void WithClient(
        this IResourceBuilder<ProjectResource> waf, string clientId, IResourceBuilder<ParameterResource> secret, ParameterResource audience,
        IEnumerable<string> impus)
    {
        const string client = "Waf__Clients__0__";
        waf.WithEnvironment(client + "ClientId", clientId)
            .WithEnvironment(client + "ClientSecret", secret)
            .WithEnvironment(client + "Audiences__0", audience);
        foreach (var (number, impu) in impus.Index()) waf.WithEnvironment($"{client}Impus__{number}", impu);
    }
}
