namespace WebRtcIms.AppHost;

/// <summary>What the eP-CSCF has to know about the WAF.</summary>
/// <param name="Identity">The issuer of registration tokens.</param>
/// <param name="RegistrationKeyId">The <c>kid</c> of the key of these tokens, or the first part of the kids of its ring.</param>
internal sealed record WafAnnotation(string Identity, string RegistrationKeyId) : IResourceAnnotation;

internal static class Waf
{
    /// <summary>The endpoint of the administration, in runs. A deployment turns it on itself.</summary>
    private const string Administration = "admin";

    private const int AdminPort = 8085;

    /// <summary>Adds the WAF, with a store of its own.</summary>
    public static IResourceBuilder<ProjectResource> AddWaf(this IDistributedApplicationBuilder builder, string name)
    {
        var self = new WafAnnotation($"waf.{Ims.Domain}", "r1");

        var waf = builder.AddService<Projects.Waf>(name);
        return waf
            .WithAnnotation(self)
            .WithEnvironment("Waf__Issuer", waf.GetEndpoint("http"))
            .WithStore("waf")
            .WithEnvironment("Waf__ImsRegistration__Domain", Ims.Domain)
            .WithEnvironment("Waf__ImsRegistration__Identity", self.Identity)
            .WithEnvironment("Waf__ImsRegistration__Kid", self.RegistrationKeyId)
            .WithIconName("ShieldKeyhole")
            .WithAdministration();
    }

    private static IResourceBuilder<ProjectResource> WithAdministration(this IResourceBuilder<ProjectResource> waf)
    {
        if (!waf.ApplicationBuilder.ExecutionContext.IsRunMode) return waf;
        var port = waf.GetEndpoint(Administration).Property(EndpointProperty.TargetPort);
        // It is not one of the public addresses, and other services do not need it.
        return waf.WithHttpEndpoint(port: AdminPort, name: Administration)
            .WithEndpoint(Administration, endpoint => endpoint.ExcludeReferenceEndpoint = true)
            .WithEndpointsInEnvironment(endpoint => endpoint.Name != Administration)
            .WithEnvironment("Waf__Admin__Url", ReferenceExpression.Create($"http://localhost:{port}"))
            .WithUrlForEndpoint(Administration, url => url.DisplayLocation = UrlDisplayLocation.DetailsOnly)
            .WithWafCommands(waf.GetEndpoint(Administration));
    }

    // A demonstration shows a token of another server to ours. Nothing runs under its name.
    private static IResourceBuilder<ProjectResource> WithOtherTurnServer(this IResourceBuilder<ProjectResource> waf) =>
        waf.ApplicationBuilder.ExecutionContext.IsRunMode
            ? waf.WithEnvironment("Waf__TurnServers__1__Name", TurnServerAnnotation.OtherServerName)
                .WithEnvironment("Waf__TurnServers__1__Kid", "other")
            : waf;

    /// <summary>Lets the WAF issue tokens for these TURN servers, which have one name.</summary>
    public static IResourceBuilder<ProjectResource> WithTokensFor(this IResourceBuilder<ProjectResource> waf,
        IReadOnlyList<IResourceBuilder<ProjectResource>> turn)
    {
        var server = turn[0].Get<TurnServerAnnotation>();
        return waf
            .WithEnvironment("Waf__TurnServers__0__Name", server.ServerName)
            .WithEnvironment("Waf__TurnServers__0__Kid", server.KeyId)
            .WithEnvironment("Waf__TurnServers__0__Algorithm", TurnServerAnnotation.Algorithm)
            .WithKeysFor(turn)
            .WithOtherTurnServer();
    }
}
