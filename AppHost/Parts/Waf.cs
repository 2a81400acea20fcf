namespace WebRtcIms.AppHost;

/// <summary>What the eP-CSCF has to know about the WAF.</summary>
/// <param name="Identity">The issuer of registration tokens.</param>
/// <param name="RegistrationKeyId">The <c>kid</c> of <paramref name="RegistrationKey"/>.</param>
/// <param name="RegistrationKey">Encrypts registration tokens: the WAF writes them, the eP-CSCF reads them.</param>
internal sealed record WafAnnotation(string Identity, string RegistrationKeyId, ParameterResource RegistrationKey) : IResourceAnnotation;

internal static class Waf
{
    /// <summary>Adds the WAF, with the parameter <c>ims-registration-key</c> and a store of its own.</summary>
    public static IResourceBuilder<ProjectResource> AddWaf(this IDistributedApplicationBuilder builder, string name)
    {
        var registrationKey = builder.AddParameter("ims-registration-key", new RandomKey(), secret: true, persist: true)
            .WithDescription("Encrypts IMS registration tokens between WAF and eP-CSCF: 32 bytes in base64.");
        var self = new WafAnnotation($"waf.{Ims.Domain}", "r1", registrationKey.Resource);

        var waf = builder.AddService<Projects.Waf>(name);
        return waf
            .WithAnnotation(self)
            .WithEnvironment("Waf__Issuer", waf.GetEndpoint("http"))
            .WithStore("waf")
            .WithEnvironment("Waf__ImsRegistration__Domain", Ims.Domain)
            .WithEnvironment("Waf__ImsRegistration__Identity", self.Identity)
            .WithEnvironment("Waf__ImsRegistration__Kid", self.RegistrationKeyId)
            .WithEnvironment("Waf__ImsRegistration__Key", registrationKey)
            .WithIconName("ShieldKeyhole");
    }

    /// <summary>Lets the WAF issue tokens for this TURN server.</summary>
    public static IResourceBuilder<ProjectResource> WithTokensFor(this IResourceBuilder<ProjectResource> waf,
        IResourceBuilder<ProjectResource> turn)
    {
        var server = turn.Get<TurnServerAnnotation>();
        return waf
            .WithEnvironment("Waf__TurnServers__0__Name", server.ServerName)
            .WithEnvironment("Waf__TurnServers__0__Kid", server.KeyId)
            .WithEnvironment("Waf__TurnServers__0__Key", server.Key)
            .WithEnvironment("Waf__TurnServers__0__Algorithm", TurnServerAnnotation.Algorithm);
    }
}
