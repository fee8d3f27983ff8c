# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
require_relative '../../../lib/community/app_handler'

# Seconds from the first SSH connection to the end of the configuration, of each VM.
DEADLINE = 180
SUPERLINK = 'flower-superlink'

describe 'Flower SuperNode' do
    def page(machine)
        machine.ssh('cat /run/fact8ra/status').stdout.to_s
    end

    def says(machine, state)
        deadline = Time.now + DEADLINE
        sleep 2 until page(machine).start_with?("Flower appliance: #{state}") || Time.now > deadline
        expect(page(machine)).to start_with("Flower appliance: #{state}")
    end

    # A SuperNode needs a SuperLink, of the same build. This comes before what the library does with APP_CONTEXT_PARAMS.
    before(:all) do
        unless CLIImage.list('-l NAME').include?(SUPERLINK)
            CLIImage.create(SUPERLINK, IMAGE_DATASTORE, "--path #{APPS_PATH}#{SUPERLINK}.#{DISK_FORMAT}")
        end
        given = APP_CONTEXT_PARAMS.slice(:TOKEN, :ONEAPP_FLOWER_JOIN_TOKEN)
        @superlink = VM.instantiate(VM_TEMPLATE, true, "--context \"#{app_context(given, false)}\" --disk #{SUPERLINK}")
        says(@superlink, 'READY')
        APP_CONTEXT_PARAMS[:ONEAPP_FLOWER_SUPERLINK_ADDRESS] = @superlink.ip
        APP_CONTEXT_PARAMS[:ONEAPP_FLOWER_SUPERLINK_FINGERPRINT] = @superlink.xml['USER_TEMPLATE/FLOWER_FINGERPRINT']
    end

    after(:all) do
        @superlink.terminate_hard if @superlink
    end

    include_context('vm_handler')

    it 'says that it is online' do
        says(@info[:vm], 'ONLINE')
    end

    it 'tells OpenNebula so' do
        expect(@info[:vm].xml['USER_TEMPLATE/FLOWER_STATE']).to eq('ONLINE')
        expect(@info[:vm].xml['USER_TEMPLATE/READY']).to eq('YES')
    end

    it 'runs its services' do
        %w[flower-supernode flower-superexec-client].each do |unit|
            @info[:vm].ssh("systemctl is-active #{unit}").expect_success
        end
    end

    it 'trusts the authority whose fingerprint was given' do
        theirs = @superlink.ssh('sha256sum /etc/flower/trust.crt').stdout
        expect(theirs).not_to be_empty
        expect(@info[:vm].ssh('sha256sum /etc/flower/trust.crt').stdout).to eq(theirs)
    end

    it 'writes no secret into its logs' do
        token = APP_CONTEXT_PARAMS[:ONEAPP_FLOWER_JOIN_TOKEN]
        # grep ends with 1 where it finds nothing.
        expect(@info[:vm].ssh("journalctl --no-pager | grep -qF #{token}").exitstatus).to eq(1)
        expect(@info[:vm].ssh("grep -rqF #{token} /var/log /run/fact8ra/status /run/fact8ra/state.json").exitstatus).to eq(1)
    end
end
