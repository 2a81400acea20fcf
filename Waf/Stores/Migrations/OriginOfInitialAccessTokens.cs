using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace WebRtcIms.Waf.Stores.Migrations;

/// <summary>Tells initial access tokens of the settings from those of operators.</summary>
[DbContext(typeof(WafDatabase))]
[Migration("20261128000002_OriginOfInitialAccessTokens")]
internal sealed class OriginOfInitialAccessTokens : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.AddColumn<bool>(name: "FromSettings", table: "InitialAccessTokens", nullable: true);
}
